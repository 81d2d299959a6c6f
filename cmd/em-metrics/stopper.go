package main

import (
	"context"
	"errors"
	"time"
)

// stopper stops the parts of the service, the last one started first.
type stopper struct {
	limit time.Duration // for all parts together
	parts []part
}

// part is something that was started and how it stops.
type part struct {
	share float64 // of the limit
	stop  func(context.Context) error
}

// onStop registers how the part that was just started stops. The context of stop
// ends when the part has used its share of the limit; the shares of all parts
// add up to 1 at most.
func (s *stopper) onStop(share float64, stop func(context.Context) error) {
	s.parts = append(s.parts, part{share, stop})
}

// stop stops all parts and returns their errors. A second call does nothing.
func (s *stopper) stop() (err error) {
	for len(s.parts) > 0 {
		last := len(s.parts) - 1
		p := s.parts[last]
		s.parts = s.parts[:last]
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(p.share*float64(s.limit)))
		err = errors.Join(err, p.stop(ctx))
		cancel()
	}
	return err
}
