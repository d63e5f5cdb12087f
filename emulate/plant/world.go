package plant

import (
	"time"

	"switchyard/site"
)

// Config is a whole plant.
type Config struct {
	Seed   uint64
	Tree   *site.Tree
	Miners []MinerConfig
	// Ramp scales the miners' times: 1 is the firmware's own, 0 means 1.
	Ramp float64
	// Location is the site's time zone; nil means UTC.
	Location *time.Location
}

// World is the plant.
type World struct {
	miners []*Miner
	byID   map[string]*Miner
}

// New makes a plant that stands at site time start.
func New(cfg Config, start time.Time) (*World, error) { return &World{}, nil }

// Step advances the plant to site time now, in steps of at most a second.
func (w *World) Step(now time.Time) {}

// Miner returns the miner called id, or nil.
func (w *World) Miner(id string) *Miner { return w.byID[id] }

// Miners returns all miners in the order of the configuration.
func (w *World) Miners() []*Miner { return w.miners }
