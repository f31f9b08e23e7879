# Stands for Vagrant: evaluates the Vagrantfile, and fires its triggers for machines that are not there.
#   ruby vagrant_stub.rb VAGRANTFILE ACTION NAME ADDRESS ID …     prints the names of the machines that it defines
require "json"

module Vagrant
  module Errors
    class VagrantError < StandardError
      def self.error_message(text) = define_method(:message) { text }
    end
  end

  def self.configure(_) = yield($config)
end

class Anything # takes whatever a provider or a machine is told
  def method_missing(*, **) = yield_self { block_given? ? yield(self) : self }
  def respond_to_missing?(*) = true
end

class Trigger
  def ruby(&block) = @block = block
  def fire(machine) = @block.call(nil, machine)
end

class Config
  attr_reader :names, :triggers

  def initialize = (@names, @triggers = [], Hash.new { |all, action| all[action] = [] })
  def vm = self
  def trigger = self
  def box=(_); end
  def boot_timeout=(_); end
  def synced_folder(*, **); end
  def define(name) = (@names << name) && yield(Anything.new)

  def after(*actions)
    trigger = Trigger.new.tap { |one| yield one }
    actions.each { |action| @triggers[action] << trigger }
  end
end

Machine = Struct.new(:name, :id, :ssh_info) do
  def communicate = self

  def execute(_)
    yield :stderr, "Linux lab\n"
    yield :stdout, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDajWdrOe5FEPjPkLg8Q/5cLhAZztZiowyoZViCXyWUv root@#{id}\n\e[31mssh\n"
  end
end

file, action, *machines = ARGV
$config = Config.new
load file
machines.each_slice(3) do |name, address, id|
  key = File.join(File.dirname(file), ".vagrant/machines/#{name}/50%/private_key")
  way = { host: address, port: 22, username: "vagrant", private_key_path: [key] }
  $config.triggers[action.to_sym].each { |one| one.fire(Machine.new(name.to_sym, id, way)) }
end
puts JSON.generate($config.names)
