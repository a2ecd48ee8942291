# frozen_string_literal: true

# Four forked workers call a payment service that is down; all stop as soon as one has learned.
#
# Run it: ruby prefork.rb

require_relative "../lib/switchgear"

NAME = "/prefork-ruby-#{Process.pid}"

def charge_card
  raise Errno::ECONNREFUSED, "payments is down"
end

# Ten orders; returns how many of them reached the dead service.
def work
  payments = Switchgear::Panel.open(NAME).circuit("payments", failure_threshold: 5, recovery: "30s")
  reached = 0
  10.times do
    payments.call do
      reached += 1
      charge_card
    end
  rescue Switchgear::Rejected
    # charge it later
  rescue SystemCallError
    # failed, and counted
  end
  reached
end

workers = Array.new(4) { fork { exit!(work) } }
reached = workers.sum { |pid| Process.wait2(pid).last.exitstatus }
payments = Switchgear::Panel.open(NAME) { |panel| panel["payments"].snapshot }
Switchgear::Panel.unlink(NAME)
puts "payments is #{payments.state}: of 40 orders, #{reached} reached it, " \
     "#{payments.rejected[:open]} were spared"
exit(reached < 40)
