// Package address reads the source addresses of a client.
package address

import (
	"fmt"
	"net/netip"
)

// most bounds what a list of networks may amount to.
const most = 65536

// Sources reads addresses, and networks of which every host address counts: 127.0.0.2, 198.19.1.0/28. Each counts once.
func Sources(texts []string) ([]netip.Addr, error) {
	var all []netip.Addr
	seen := map[netip.Addr]bool{}
	for _, text := range texts {
		some, err := expand(text)
		if err != nil {
			return nil, err
		}
		for _, address := range some {
			address = address.Unmap()
			if address.IsUnspecified() || address.IsMulticast() {
				return nil, fmt.Errorf("%s is no address to send from", address)
			}
			if !seen[address] {
				seen[address] = true
				all = append(all, address)
			}
		}
		if len(all) > most {
			return nil, fmt.Errorf("the sources are more than %d addresses", most)
		}
	}
	return all, nil
}

func expand(text string) ([]netip.Addr, error) {
	if address, err := netip.ParseAddr(text); err == nil {
		return []netip.Addr{address}, nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address or a network such as 127.0.0.2 or 198.19.1.0/28", text)
	}
	network = network.Masked()
	hostBits := network.Addr().BitLen() - network.Bits()
	if hostBits > 16 {
		return nil, fmt.Errorf("%s holds more than %d addresses", text, most)
	}
	var addresses []netip.Addr
	for address := network.Addr(); network.Contains(address); address = address.Next() {
		addresses = append(addresses, address)
	}
	if network.Addr().Is4() && hostBits >= 2 {
		addresses = addresses[1 : len(addresses)-1] // the network itself, and broadcast
	}
	return addresses, nil
}
