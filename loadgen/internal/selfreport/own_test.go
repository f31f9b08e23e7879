package selfreport

import (
	"os"
	"testing"
)

func TestOwnIsOfTheProcessesThatAreThere(t *testing.T) {
	before := OwnOf([]int{os.Getpid()})
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	after := OwnOf([]int{os.Getpid(), 1 << 30}) // no process has so high a number
	if after.Processes != 1 || after.RSS < 1<<20 || after.CPU < before.CPU || after.Descriptors != before.Descriptors+1 {
		t.Errorf("%+v after %+v", after, before)
	}
}
