package address

import (
	"fmt"
	"strings"
	"testing"
)

func TestSources(t *testing.T) {
	for _, c := range []struct {
		texts string
		want  string // "": refused
	}{
		{"127.0.0.2", "[127.0.0.2]"},
		{"127.0.0.2 127.0.0.2", "[127.0.0.2]"},
		{"198.19.1.0/30", "[198.19.1.1 198.19.1.2]"},
		{"198.19.1.2/30 198.19.1.1", "[198.19.1.1 198.19.1.2]"},
		{"198.19.1.4/31", "[198.19.1.4 198.19.1.5]"},
		{"198.19.1.4/32", "[198.19.1.4]"},
		{"fd00::/126", "[fd00:: fd00::1 fd00::2 fd00::3]"},
		{"10.0.0.0/15", ""},
		{"10.0.0.0/16 10.1.0.0/30 10.2.0.0/30", ""},
		{"127.0.0.1 ::ffff:127.0.0.1/128", "[127.0.0.1]"},
		{"0.0.0.0/32", ""},
		{"224.0.0.0/30", ""},
		{"me", ""},
		{"0.0.0.0", ""},
		{"224.0.0.1", ""},
		{"1.2.3.4/33", ""},
	} {
		got, err := Sources(strings.Fields(c.texts))
		if (err != nil) != (c.want == "") || (err == nil && fmt.Sprint(got) != c.want) {
			t.Errorf("%s: %v, %v", c.texts, got, err)
		}
	}
	if got, err := Sources([]string{"198.19.0.0/16"}); err != nil || len(got) != 65534 {
		t.Errorf("%d addresses, %v", len(got), err)
	}
}

func FuzzSources(f *testing.F) {
	for _, seed := range []string{"127.0.0.2", "198.19.1.0/28", "fd00::/120", "0.0.0.0/0", "255.255.255.255/32", "x/1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if addresses, err := Sources([]string{text}); err == nil && (len(addresses) == 0 || len(addresses) > most) {
			t.Errorf("%q holds %d addresses", text, len(addresses))
		}
	})
}
