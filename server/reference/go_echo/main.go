// Go_echo is the echo server as everyone writes it in Go: accept, and a goroutine for each connection.
//
// The code blocks, one line after the other, and the runtime turns that into one epoll loop over a few threads. Read and
// Write wait by themselves: a peer that does not read is not read from, and the end of input is met only when all of it
// has been answered, so a half-close needs no code of its own.
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

const (
	// bufferBytes is what each connection costs beside its goroutine, idle or not. io.Copy would need none, but
	// between two sockets it splices through a pipe: two more descriptors for each connection.
	bufferBytes = 4096
	noRoomPause = 10 * time.Millisecond
)

func main() {
	options := parse(os.Args[1:])
	listeners := make([]*net.TCPListener, options.ports)
	for i := range listeners { // all before the first accept: a port that is taken is found now
		listeners[i] = listen(options, options.port+i)
	}
	slot := mapSlot(options.stats)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	room := &spare{}
	room.takeBack()
	for _, listener := range listeners {
		go serve(listener, room, slot)
	}
	slot.begin()
	fmt.Fprintf(os.Stderr, "%s listens on %s:%d; Ctrl-C ends it.\n", program, options.host, options.port)
	<-signals // nothing needs tidying: the kernel closes every socket
}

// serve accepts for ever. Out of descriptors it gives the spare one up, and Accept waits: a client that comes then is
// served if there is room for the spare again, and is closed if not.
func serve(listener *net.TCPListener, room *spare, slot *slot) {
	for {
		conn, err := listener.AcceptTCP()
		switch {
		case err == nil && room.takeBack():
			slot.opened()
			go echo(conn, slot)
		case err == nil:
			_ = conn.Close()
			slot.refused()
			room.takeBack()
		case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE):
			if !room.giveUp() {
				time.Sleep(noRoomPause) // another port's listener, or another process, has been faster
			}
		case errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.ENOMEM):
			time.Sleep(noRoomPause)
		} // anything else is about the one connection that broke while it waited, and it is gone
	}
}

func echo(conn *net.TCPConn, slot *slot) {
	buffer := make([]byte, bufferBytes)
	for {
		got, err := conn.Read(buffer)
		if err != nil { // the end of input, or a broken connection
			break
		}
		slot.received(got)
		sent, err := conn.Write(buffer[:got])
		slot.sent(sent)
		if err != nil {
			break
		}
	}
	_ = conn.Close()
	slot.ended()
}

// spare is a descriptor held back, so that there is room to accept and close when all others are used.
type spare struct {
	mutex sync.Mutex
	file  *os.File
}

func (s *spare) giveUp() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.file == nil {
		return false
	}
	_ = s.file.Close()
	s.file = nil
	return true
}

// takeBack says whether the spare is there.
func (s *spare) takeBack() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.file == nil {
		s.file, _ = os.Open(os.DevNull)
	}
	return s.file != nil
}
