# frozen_string_literal: true

Gem::Specification.new do |gem|
  gem.name = "switchgear"
  gem.version = "0.1.0"
  gem.summary = "Circuit breakers that threads, processes and languages share"
  gem.authors = ["The switchgear authors"]
  gem.license = "Apache-2.0"
  gem.files = Dir["lib/**/*.rb", "README.md"]
  gem.required_ruby_version = ">= 3.0"
  gem.add_dependency "fiddle"
end
