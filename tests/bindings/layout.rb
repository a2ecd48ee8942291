# frozen_string_literal: true

# Those of layout.c's lines that the Ruby package relies on, from its declarations.
require_relative "../../bindings/ruby/lib/switchgear"

include Switchgear

STRUCTS = { "swg_panel_config" => Native::PanelConfig,
            "swg_circuit_config" => Native::CircuitConfig,
            "swg_snapshot" => Native::Snapshot }.freeze
BYTES = { Fiddle::TYPE_CHAR => 1, -Fiddle::TYPE_INT => 4, -Fiddle::TYPE_LONG => 8,
          Fiddle::TYPE_LONG => 8, -Fiddle::TYPE_LONG_LONG => 8, Fiddle::TYPE_LONG_LONG => 8 }.freeze

STRUCTS.each do |name, struct|
  puts "size #{name} #{struct.size}"
  offsets = struct.malloc(Fiddle::RUBY_FREE).to_ptr.instance_variable_get(:@offset)
  struct.members.zip(struct.types, offsets) do |field, (type, count), offset|
    puts "field #{name}.#{field} #{offset} #{BYTES.fetch(type) * (count || 1)}"
  end
end
puts "size swg_permit #{Native::PERMIT_BYTES}"
puts "field swg_permit.retry_ns #{Native::RETRY_NS_AT} 8"
puts "field swg_permit.verdict #{Native::VERDICT_AT} 1"
{ verdict: VERDICTS, outcome: OUTCOMES, state: STATES, override: OVERRIDES,
  cause: CAUSES }.each do |kind, words|
  words.each_with_index { |word, i| puts "enum #{kind} #{word} #{i}" }
end
%w[DIFFERS EINVAL ESYS ENOENT NONE].each { |name| puts "const #{name} #{Native.const_get(name)}" }
