# frozen_string_literal: true

# A worker in Ruby: reads one command a line, answers with one line. See mixed_test.py.
require_relative "../../bindings/ruby/lib/switchgear"

$stdout.sync = true
panel = circuit = permit = nil
$stdin.each_line do |line|
  verb, word, number = line.split
  case verb
  when "open"
    panel = Switchgear::Panel.open(word)
    circuit = panel.circuit("payments", failure_threshold: 5, recovery: "5s",
                                        recovery_jitter_pct: nil, probes: 3, inflight_max: 8)
    puts circuit.differs? ? "differs" : "same"
  when "acquire"
    permit = circuit.acquire(word.to_i)
    puts "#{permit.verdict} #{(permit.retry_after(word.to_i) * 1000).round}"
  when "release"
    permit.release(word.to_sym, number.to_i)
    puts "ok"
  when "read"
    s = circuit.snapshot(word.to_i)
    puts "#{s.state} #{s.inflight} #{s.probes_out}"
  else
    puts panel.reap(word.to_i)
  end
end
