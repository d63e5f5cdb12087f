package emulate

import (
	"io"
	"net"

	"switchyard/emulate/antminer"
	"switchyard/emulate/auradine"
	"switchyard/emulate/avalon"
	"switchyard/emulate/bitaxe"
	"switchyard/emulate/braiins"
	"switchyard/emulate/cgminer"
	"switchyard/emulate/epic"
	"switchyard/emulate/luxos"
	"switchyard/emulate/mara"
	"switchyard/emulate/plant"
	"switchyard/emulate/proto"
	"switchyard/emulate/sealminer"
	"switchyard/emulate/vnish"
	"switchyard/emulate/whatsminer"
)

// kind is one family of emulated miners.
type kind struct {
	make *plant.Make
	// serve makes the face of a miner on its listeners, by port name.
	serve func(*plant.Miner, map[string]net.Listener) (io.Closer, error)
}

// kinds returns every family, one line each.
func kinds() []kind {
	return []kind{
		{antminer.Make(), antminer.Serve},
		{auradine.Make(), auradine.Serve},
		{bitaxe.Make(), bitaxe.Serve},
		{braiins.Make(), braiins.Serve},
		{epic.Make(), epic.Serve},
		{mara.Make(), mara.Serve},
		{sealminer.Make(), sealminer.Serve},
		{vnish.Make(), vnish.Serve},
		{proto.Make(), proto.Serve},
		{whatsminer.Make(), whatsminer.Serve},
		{whatsminer.MakeV3(), whatsminer.ServeV3},
		{luxos.Make(), luxos.Serve},
		{avalon.Make(), avalon.Serve},
		{cgminer.Make(), cgminer.Serve},
	}
}

// kindOf returns the family that the named driver speaks to, or nil.
func kindOf(driver string) *kind {
	for _, k := range kinds() {
		if k.make.Driver == driver {
			return &k
		}
	}
	return nil
}

// drivers returns the names of all families' drivers.
func drivers() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.make.Driver)
	}
	return names
}
