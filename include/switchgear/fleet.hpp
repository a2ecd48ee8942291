/* The fleet for C++17, beside switchgear.hpp: configurations with their size set, for which C has
 * SWG_FLEET() and SWG_FLEET_RUN(), and a client that closes itself. Header only; link with
 * pkg-config switchgear-fleet. */
#ifndef SWITCHGEAR_FLEET_HPP
#define SWITCHGEAR_FLEET_HPP

#include <switchgear/fleet_run.h>
#include <switchgear/switchgear.hpp>

namespace swg
{

/* swg::fleet_config c; c.host = "web7"; */
struct fleet_config : swg_fleet_config {
    fleet_config() noexcept : swg_fleet_config{}
    {
        size = sizeof(swg_fleet_config);
    }
};

struct fleet_run_config : swg_fleet_run_config {
    fleet_run_config() noexcept : swg_fleet_run_config{}
    {
        size = sizeof(swg_fleet_run_config);
    }
};

/* The client of a panel, which must stay open longer.  Threads: as the functions of fleet.h. */
class fleet
{
  public:
    /* As swg_fleet_open(), whose result is `result`. */
    fleet(const panel &on, const swg_fleet_config &config, std::uint64_t seed, int &result) noexcept
    {
        swg_fleet *handle = nullptr;
        result = swg_fleet_open(&handle, on.get(), &config, seed, swg_clock_ns());
        handle_.reset(handle);
    }

#ifdef __cpp_exceptions
    /* The same, but an error is thrown. */
    fleet(const panel &on, const swg_fleet_config &config, std::uint64_t seed)
    {
        int result;
        *this = fleet(on, config, seed, result);
        if (result < 0) {
            throw error(result);
        }
    }
#endif

    explicit operator bool() const noexcept
    {
        return handle_ != nullptr;
    }
    swg_fleet *get() const noexcept
    {
        return handle_.get();
    }

    /* Blocks until config.stop_fd says stop; swg_fleet_run() says what it returns. */
    int run(const swg_fleet_run_config &config) const
    {
        return swg_fleet_run(handle_.get(), &config);
    }

  private:
    struct closer {
        void operator()(swg_fleet *handle) const noexcept
        {
            swg_fleet_close(&handle);
        }
    };

    std::unique_ptr<swg_fleet, closer> handle_;
};

} // namespace swg
#endif
