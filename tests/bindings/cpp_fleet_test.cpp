/* fleet.hpp: a panel joins the fleet from C++ as the README says. Nobody listens at the address,
 * and the run is told to stop before it begins. */
#include <switchgear/fleet.hpp>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <sys/eventfd.h>
#include <thread>
#include <type_traits>
#include <unistd.h>

static_assert(!std::is_copy_constructible_v<swg::fleet> && std::is_move_assignable_v<swg::fleet>);

#define EXPECT(condition)                                                                          \
    ((condition) ? void()                                                                          \
                 : (std::printf("%s:%d: %s\n", __FILE__, __LINE__, #condition), std::exit(1)))

namespace
{

void test_runs()
{
    swg::panel panel;
    swg::fleet_config config;
    config.host = "web7";
    swg::fleet fleet(panel, config, 1);
    swg::fleet_run_config run;
    run.url = "redis://127.0.0.1:1";
    run.stop_fd = eventfd(1, EFD_CLOEXEC);
    int result = -1;
    std::thread carrier([&] { result = fleet.run(run); });
    carrier.join();
    EXPECT(result == SWG_OK);
    close(run.stop_fd);
    swg::fleet moved = std::move(fleet);
    EXPECT(moved && moved.get() != nullptr && !fleet);
}

void test_errors()
{
    swg::panel panel;
    swg::fleet_config config;
    config.quorum = 5000;
    const char *field = "", *reason = "";
    EXPECT(swg_fleet_config_check(&config, &field, &reason) == SWG_EINVAL);
    EXPECT(std::string(field) == "quorum" && *reason != '\0');
    int result = 0;
    EXPECT(!swg::fleet(panel, config, 1, result) && result == SWG_EINVAL);
    int code = 0;
    try {
        swg::fleet fleet(panel, config, 1);
    } catch (const swg::error &error) {
        code = error.code();
    }
    EXPECT(code == SWG_EINVAL);
}

} // namespace

int main()
{
    test_runs();
    test_errors();
    std::puts("fleet.hpp: ok");
    return 0;
}
