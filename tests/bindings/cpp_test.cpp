/* switchgear.hpp: who gives back what, and when. Times are given, so nothing waits. */
#include <switchgear/switchgear.hpp>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <type_traits>

static_assert(!std::is_copy_constructible_v<swg::permit> &&
              !std::is_copy_assignable_v<swg::permit>);
static_assert(std::is_nothrow_move_constructible_v<swg::permit>);
static_assert(std::is_nothrow_move_assignable_v<swg::permit>);
static_assert(!std::is_copy_constructible_v<swg::panel> && std::is_move_assignable_v<swg::panel>);

#define EXPECT(condition)                                                                          \
    ((condition) ? void()                                                                          \
                 : (std::printf("%s:%d: %s\n", __FILE__, __LINE__, #condition), std::exit(1)))

namespace
{

constexpr std::int64_t second = 1000000000;
constexpr std::int64_t start = 1000 * second;

swg::config guarded()
{
    swg::config config;
    config.failure_threshold = 3;
    config.inflight_max = 2;
    config.recovery_jitter_pct = SWG_NONE;
    return config;
}

std::uint64_t count(const swg::circuit &circuit, swg_outcome outcome)
{
    return circuit.read(start).outcomes[outcome];
}

void test_forgotten_is_cancelled()
{
    swg::panel panel;
    swg::circuit circuit = panel.circuit("payments", guarded());
    {
        swg::permit permit = circuit.acquire(start);
        EXPECT(permit && circuit.read(start).inflight == 1);
    }
    EXPECT(circuit.read(start).inflight == 0 && count(circuit, SWG_CANCELLED) == 1);
}

void test_released_once()
{
    swg::panel panel;
    swg::circuit circuit = panel.circuit("payments", guarded());
    {
        swg::permit permit = circuit.acquire(start);
        permit.release(SWG_SUCCESS, start);
        permit.release(SWG_FAILURE, start);
    }
    EXPECT(count(circuit, SWG_SUCCESS) == 1 && count(circuit, SWG_FAILURE) == 0);
    EXPECT(count(circuit, SWG_CANCELLED) == 0);
}

void test_moved()
{
    swg::panel panel;
    swg::circuit circuit = panel.circuit("payments", guarded());
    swg::permit first = circuit.acquire(start);
    {
        swg::permit second_owner = std::move(first);
        EXPECT(circuit.read(start).inflight == 1);
        first = std::move(second_owner);
    }
    EXPECT(circuit.read(start).inflight == 1 && count(circuit, SWG_CANCELLED) == 0);
    first = circuit.acquire(start); /* what it held is given back */
    EXPECT(circuit.read(start).inflight == 1 && count(circuit, SWG_CANCELLED) == 1);
    swg::permit &same = first;
    first = std::move(same);
    EXPECT(circuit.read(start).inflight == 1);
}

void test_rejected()
{
    swg::panel panel;
    swg::circuit circuit = panel.circuit("payments", guarded());
    for (int i = 0; i < 3; i++) {
        circuit.acquire(start).release(SWG_FAILURE, start);
    }
    swg::permit permit = circuit.acquire(start + second);
    EXPECT(!permit && permit.verdict() == SWG_REJECTED_OPEN);
    EXPECT(permit.retry_after_ns(start + second) == 4 * second);
    EXPECT(permit.retry_after_ns(start + 60 * second) == 0);
    EXPECT(circuit.acquire(start + 5 * second));
}

void test_call()
{
    swg::panel panel;
    swg::circuit circuit = panel.circuit("payments", guarded());
    bool called = false;
    EXPECT(circuit.call([] { return std::string("paid"); }) == "paid");
    EXPECT(circuit.call([&] { called = true; }) && called);
    EXPECT(circuit.call([](swg::permit &permit) {
        permit.release(SWG_IGNORED);
        return 404;
    }) == 404);
    EXPECT(count(circuit, SWG_SUCCESS) == 2 && count(circuit, SWG_IGNORED) == 1);
    bool thrown = false;
    try {
        circuit.call([]() -> int { throw std::runtime_error("down"); });
    } catch (const std::runtime_error &) {
        thrown = true;
    }
    EXPECT(thrown && count(circuit, SWG_FAILURE) == 1 && circuit.read().inflight == 0);
}

void test_call_rejected()
{
    swg::panel panel;
    swg::circuit circuit = panel.circuit("payments", guarded());
    swg_circuit_override(circuit.get(), SWG_FORCED_OPEN, INT64_MAX, "test");
    bool called = false;
    EXPECT(!circuit.call([&] { called = true; }));
    EXPECT(!circuit.call([] { return 1; }).has_value());
    EXPECT(circuit.call([] { return 1; }).value_or(2) == 2 && !called);
}

void test_errors()
{
    int code = 0;
    try {
        swg::panel panel("no/such/name");
    } catch (const swg::error &error) {
        code = error.code();
    }
    EXPECT(code == SWG_EINVAL);
    int result = 0;
    swg::panel none("no/such/name", nullptr, result);
    EXPECT(!none && result == SWG_EINVAL);
    swg::panel panel(nullptr, nullptr, result);
    EXPECT(panel && result == SWG_OK);
    panel.circuit("payments", nullptr, result);
    EXPECT(result == SWG_OK);
    const swg::config other = guarded();
    panel.circuit("payments", &other, result);
    EXPECT(result == SWG_DIFFERS);
}

} // namespace

int main()
{
    test_forgotten_is_cancelled();
    test_released_once();
    test_moved();
    test_rejected();
    test_call();
    test_call_rejected();
    test_errors();
    std::puts("switchgear.hpp: ok");
    return 0;
}
