// Go_echo is the echo server as everyone writes it in Go: accept, and a goroutine for each connection.
//
// The code blocks, one line after the other, and the runtime turns that into one epoll loop over a few threads. Read and
// Write wait by themselves: a peer that does not read is not read from, and the end of input is met only when all of it
// has been answered, so a half-close needs no code of its own.
package main

import (
	"errors"
	"log"
	"net"
	"os"
	"os/signal"
	"strconv"
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

// The arguments are those of the servers in C: the file of statistics, how many workers (1: a Go process uses all its
// CPUs by itself), and the listeners' descriptors.
func main() {
	log.SetFlags(0)
	log.SetPrefix("go_echo: ")
	if len(os.Args) < 4 {
		log.Fatal("this is started by `python3 -m server serve`, which gives it its listeners")
	}
	slot := mapSlot(os.Args[1])
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	room := &spare{}
	room.takeBack()
	for _, descriptor := range os.Args[3:] {
		go serve(listener(descriptor), room, slot)
	}
	slot.begin()
	<-signals // nothing needs tidying: the kernel closes every socket
}

func listener(descriptor string) *net.TCPListener {
	fd, err := strconv.Atoi(descriptor)
	if err != nil {
		log.Fatal(err)
	}
	file := os.NewFile(uintptr(fd), "listener")
	defer file.Close() // FileListener makes a copy
	found, err := net.FileListener(file)
	if err != nil {
		log.Fatal(err)
	}
	return found.(*net.TCPListener)
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
		slot.bytesIn.Add(uint64(got))
		sent, err := conn.Write(buffer[:got])
		slot.bytesOut.Add(uint64(sent))
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
