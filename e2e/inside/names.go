package main

import (
	"errors"
	"net"
	"net/netip"

	"golang.org/x/net/dns/dnsmessage"
)

// serveNames is a name server on port 53 of the loopback device that knows one thing:
// every name is 127.0.0.1.
func serveNames([]string) error {
	conn, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		return err
	}
	packet := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(packet)
		if err != nil {
			return err
		}
		answer, err := answerName(packet[:n])
		if err != nil {
			continue // not a question: whoever sent it gets nothing
		}
		if _, err := conn.WriteTo(answer, from); err != nil {
			return err
		}
	}
}

func answerName(question []byte) ([]byte, error) {
	var asked dnsmessage.Message
	if err := asked.Unpack(question); err != nil {
		return nil, err
	}
	if len(asked.Questions) != 1 {
		return nil, errors.New("not one question")
	}
	q := asked.Questions[0]
	reply := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: asked.ID, Response: true, RecursionDesired: true, RecursionAvailable: true},
		Questions: asked.Questions,
	}
	if q.Type == dnsmessage.TypeA {
		reply.Answers = []dnsmessage.Resource{{
			Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
			Body:   &dnsmessage.AResource{A: netip.MustParseAddr("127.0.0.1").As4()},
		}}
	}
	return reply.Pack()
}
