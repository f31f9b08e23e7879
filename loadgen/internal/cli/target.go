package cli

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"
)

// resolver looks a host name up; tests have their own.
type resolver func(ctx context.Context, host string) ([]netip.Addr, error)

func lookUp(ctx context.Context, host string) ([]netip.Addr, error) {
	return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
}

// parseTarget reads HOST:PORT. Load goes only to loopback or to an address that the user wrote down as such: a name may lead
// anywhere, and somewhere else tomorrow.
func parseTarget(text string, resolve resolver) (netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(text)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is not HOST:PORT, such as 127.0.0.1:9000 or [::1]:9000", text)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return netip.AddrPort{}, fmt.Errorf("%q has no port between 1 and 65535", text)
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		if address, err = loopbackOf(host, uint16(port), resolve); err != nil {
			return netip.AddrPort{}, err
		}
	}
	address = address.Unmap()
	switch {
	case address.IsUnspecified():
		return netip.AddrPort{}, fmt.Errorf("%s means every address of a host, not one: name the one that the server has, such as 127.0.0.1", host)
	case address.IsMulticast(), address == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return netip.AddrPort{}, fmt.Errorf("%s is not the address of one host", host)
	case address.Zone() != "":
		return netip.AddrPort{}, fmt.Errorf("%s has a zone, which this generator does not use: name another address of the server", host)
	}
	return netip.AddrPortFrom(address, uint16(port)), nil
}

// loopbackOf resolves a name, and refuses it unless it is this machine's loopback.
func loopbackOf(host string, port uint16, resolve resolver) (netip.Addr, error) {
	if host == "" {
		return netip.Addr{}, fmt.Errorf(":%d has no host: say 127.0.0.1:%d for this machine", port, port)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	addresses, err := resolve(ctx, host)
	if err != nil || len(addresses) == 0 {
		return netip.Addr{}, fmt.Errorf("%q is neither an address nor a name that can be resolved: name the server's address", host)
	}
	chosen := addresses[0].Unmap()
	for _, address := range addresses {
		address = address.Unmap()
		if !address.IsLoopback() {
			return netip.Addr{}, fmt.Errorf("the name %s leads to %s, which is not loopback: where you may load that host, say so by naming the address itself, --target %s",
				host, address, netip.AddrPortFrom(address, port))
		}
		if address.Is4() && !chosen.Is4() {
			chosen = address
		}
	}
	return chosen, nil
}
