package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
)

const (
	program  = "go_echo"
	badInput = 2
)

type options struct {
	host                 netip.Addr
	port, ports, backlog int
	stats                string
}

// refuse says one sentence on stderr and ends: what a user can mend is no crash.
func refuse(format string, arguments ...any) {
	fmt.Fprintf(os.Stderr, program+": "+format+"\n", arguments...)
	os.Exit(badInput)
}

// why is the system's own word for an error, without the call and the path.
func why(err error) error {
	var number syscall.Errno
	if errors.As(err, &number) {
		return number
	}
	return err
}

// parse reads the options of the C programs. There is one worker only: a Go process uses all its CPUs by itself.
func parse(arguments []string) options {
	result := options{host: netip.MustParseAddr("127.0.0.1"), port: 9000, ports: 1, backlog: 4096}
	flags := flag.NewFlagSet(program, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	number := func(into *int, name, usage string, low, high int) {
		flags.Func(name, usage, func(text string) error {
			value, err := strconv.Atoi(text)
			if err != nil || value < low || value > high {
				return fmt.Errorf("not a whole number from %d to %d", low, high)
			}
			*into = value
			return nil
		})
	}
	flags.Func("host", "numeric `address` to listen on (default: 127.0.0.1)", func(text string) (err error) {
		if result.host, err = netip.ParseAddr(text); err != nil {
			return errors.New("not a numeric address")
		}
		return nil
	})
	workers := 1
	number(&result.port, "port", "first port to listen on (default: 9000)", 1, 65_535)
	number(&result.ports, "ports", "how many ports, from the first on (default: 1)", 1, 1000)
	number(&result.backlog, "backlog", "argument of listen() (default: 4096)", 1, 1<<20)
	number(&workers, "workers", "1: a Go process uses all its CPUs by itself", 1, 1)
	flags.StringVar(&result.stats, "stats", "", "`file` to keep statistics in, 64 bytes")
	err := flags.Parse(arguments)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Printf("%s: A TCP echo server: a goroutine for each connection.\n\n", program)
		flags.SetOutput(os.Stdout)
		flags.PrintDefaults()
		os.Exit(0)
	case err != nil:
		refuse("%v. See %s --help", err, program)
	case flags.NArg() > 0:
		refuse("there is no argument '%s'. See %s --help", flags.Arg(0), program)
	case result.port+result.ports-1 > 65_535:
		refuse("%d ports from %d on go beyond 65535. Begin lower", result.ports, result.port)
	}
	return result
}

// listen is net.Listen with a backlog: that always asks for as much as net.core.somaxconn.
func listen(options options, port int) *net.TCPListener {
	cannot := func(err error) {
		refuse("cannot listen on %s:%d: %v. End what uses it, or give another --port", options.host, port, err)
	}
	family, address := syscall.AF_INET, syscall.Sockaddr(nil)
	if options.host.Is4() {
		address = &syscall.SockaddrInet4{Port: port, Addr: options.host.As4()}
	} else {
		family, address = syscall.AF_INET6, &syscall.SockaddrInet6{Port: port, Addr: options.host.As16()}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		cannot(err)
	}
	_ = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err := syscall.Bind(fd, address); err != nil {
		cannot(err)
	}
	if err := syscall.Listen(fd, options.backlog); err != nil {
		cannot(err)
	}
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close() // FileListener makes a copy
	listener, err := net.FileListener(file)
	if err != nil {
		cannot(err)
	}
	return listener.(*net.TCPListener)
}
