/* switchgear for C++17: a permit that cancels if it is forgotten, handles that close themselves.
 * Header only; link with -lswitchgear. Opening throws swg::error, or reports through an `int &`;
 * only the latter is there with -fno-exceptions. Nothing else throws but what a called function
 * throws. */
#ifndef SWITCHGEAR_HPP
#define SWITCHGEAR_HPP

#include <switchgear/switchgear.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

namespace swg
{

#ifdef __cpp_exceptions
/* A result below zero, as an exception. */
class error : public std::runtime_error
{
  public:
    explicit error(int code) : std::runtime_error(swg_error_text(code)), code_(code)
    {
    }

    int code() const noexcept
    {
        return code_;
    } /* enum swg_result */

  private:
    int code_;
};
#endif

/* swg_circuit_config with its size set: swg::config c; c.failure_pct = 30; */
struct config : swg_circuit_config {
    config() noexcept : swg_circuit_config{}
    {
        size = sizeof(swg_circuit_config);
    }
    config(const swg_circuit_config &from) noexcept : swg_circuit_config(from)
    {
    }
};

/* swg_panel_config with its size set. */
struct panel_config : swg_panel_config {
    panel_config() noexcept : swg_panel_config{}
    {
        size = sizeof(swg_panel_config);
    }
};

/* The right to make one attempt. Released as SWG_CANCELLED if it goes out of scope before. Must not
 * outlive its panel.  Threads: one at a time; may be moved to another. */
class [[nodiscard]] permit
{
  public:
    permit(swg_circuit *circuit, std::int64_t now_ns) noexcept : circuit_(circuit)
    {
        swg_acquire(circuit_, &value_, now_ns);
    }

    permit(permit &&other) noexcept
        : circuit_(other.circuit_), value_(std::exchange(other.value_, spent(other.value_)))
    {
    }

    permit &operator=(permit &&other) noexcept
    {
        if (this != &other) {
            cancel();
            circuit_ = other.circuit_;
            value_ = std::exchange(other.value_, spent(other.value_));
        }
        return *this;
    }

    permit(const permit &) = delete;
    permit &operator=(const permit &) = delete;
    ~permit()
    {
        cancel();
    }

    explicit operator bool() const noexcept
    {
        return value_.verdict == SWG_PERMITTED;
    }
    swg_verdict verdict() const noexcept
    {
        return static_cast<swg_verdict>(value_.verdict);
    }

    /* Nanoseconds before which trying again is of no use; 0 if permitted. */
    std::int64_t retry_after_ns(std::int64_t now_ns = swg_clock_ns()) const noexcept
    {
        return *this || value_.retry_ns <= now_ns ? 0 : value_.retry_ns - now_ns;
    }

    /* Gives back what is held and counts the outcome; the second time nothing happens. */
    void release(swg_outcome outcome, std::int64_t now_ns = swg_clock_ns()) noexcept
    {
        swg_release(circuit_, &value_, outcome, now_ns);
    }

    const swg_permit &value() const noexcept
    {
        return value_;
    }

  private:
    /* What stays behind after a move: the same answer, with nothing to give back. */
    static swg_permit spent(swg_permit value) noexcept
    {
        value.held = 0;
        return value;
    }

    void cancel() noexcept
    {
        if (value_.held != 0) {
            release(SWG_CANCELLED);
        }
    }

    swg_circuit *circuit_;
    swg_permit value_{};
};

/* One named dependency, borrowed from its panel: copy it freely, as long as the panel is open.
 * Threads: as the functions of circuit.h. */
class circuit
{
  public:
    explicit circuit(swg_circuit *handle) noexcept : handle_(handle)
    {
    }

    permit acquire(std::int64_t now_ns = swg_clock_ns()) const noexcept
    {
        return permit(handle_, now_ns);
    }

    /* Makes the call if it may go: f() or f(permit &). An optional with what f returned, empty if
     * rejected; for a void f, whether it was called. An exception is SWG_FAILURE, and goes on. To
     * say it otherwise f releases the permit itself. */
    template <class F> auto call(F &&f, std::int64_t now_ns = swg_clock_ns()) const
    {
        permit asked = acquire(now_ns);
        return made(std::forward<F>(f), asked);
    }

    const char *name() const noexcept
    {
        return swg_circuit_name(handle_);
    }
    swg_circuit *get() const noexcept
    {
        return handle_;
    }

    swg_snapshot read(std::int64_t now_ns = swg_clock_ns()) const noexcept
    {
        swg_snapshot snapshot{};
        swg_circuit_read(handle_, now_ns, &snapshot);
        return snapshot;
    }

  private:
    /* Releases once, at the end: as a failure unless told before that it was none. */
    struct ending {
        permit &held;
        swg_outcome outcome;
        ~ending()
        {
            held.release(outcome);
        }
    };

    template <class F> static decltype(auto) invoke(F &&f, permit &held)
    {
        if constexpr (std::is_invocable_v<F, permit &>) {
            return std::forward<F>(f)(held);
        } else {
            return std::forward<F>(f)();
        }
    }

    template <class F> static auto made(F &&f, permit &asked)
    {
        using result = std::decay_t<decltype(invoke(std::forward<F>(f), asked))>;
        if constexpr (std::is_void_v<result>) {
            if (asked) {
                ending end{asked, SWG_FAILURE};
                invoke(std::forward<F>(f), asked);
                end.outcome = SWG_SUCCESS;
            }
            return static_cast<bool>(asked);
        } else {
            std::optional<result> answer;
            if (asked) {
                ending end{asked, SWG_FAILURE};
                answer.emplace(invoke(std::forward<F>(f), asked));
                end.outcome = SWG_SUCCESS;
            }
            return answer;
        }
    }

    swg_circuit *handle_;
};

/* A panel, closed at the end of its life. */
class panel
{
  public:
    /* Name and config as swg_panel_open(), null: a panel of this process. `result` is its result.
     */
    panel(const char *name, const swg_panel_config *config, int &result) noexcept
        : handle_(opened(name, config, result))
    {
    }

    /* Finds the circuit or makes it, as swg_circuit_open(). After an error it must not be used. */
    swg::circuit circuit(const char *name, const swg_circuit_config *config, int &result) noexcept
    {
        swg_circuit *made = nullptr;
        result = swg_circuit_open(&made, handle_.get(), name, config);
        return swg::circuit(made);
    }

#ifdef __cpp_exceptions
    /* The same, but an error is thrown. */
    explicit panel(const char *name = nullptr, const swg_panel_config *config = nullptr)
    {
        int result;
        handle_ = opened(name, config, result);
        check(result);
    }

    swg::circuit circuit(const char *name, const swg_circuit_config *config = nullptr)
    {
        int result;
        const swg::circuit made = circuit(name, config, result);
        check(result);
        return made;
    }

    swg::circuit circuit(const char *name, const swg_circuit_config &config)
    {
        return circuit(name, &config);
    }
#endif

    explicit operator bool() const noexcept
    {
        return handle_ != nullptr;
    }
    swg_panel *get() const noexcept
    {
        return handle_.get();
    }

    int reap(std::int64_t now_ns = swg_clock_ns()) noexcept
    {
        return swg_panel_reap(handle_.get(), now_ns);
    }

  private:
    struct closer {
        void operator()(swg_panel *handle) const noexcept
        {
            swg_panel_close(&handle);
        }
    };
    using owned = std::unique_ptr<swg_panel, closer>;

    static owned opened(const char *name, const swg_panel_config *config, int &result) noexcept
    {
        swg_panel *handle = nullptr;
        result = swg_panel_open(&handle, name, config);
        return owned(handle);
    }

#ifdef __cpp_exceptions
    static void check(int result)
    {
        if (result < 0) {
            throw error(result);
        }
    }
#endif

    owned handle_;
};

} // namespace swg
#endif
