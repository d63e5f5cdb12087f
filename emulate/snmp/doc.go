// Package snmp owns the face of emulated power distribution units: an SNMP v2c agent on UDP that
// tells what truly goes through each outlet, in the objects of the makers' public MIBs
// (Raritan PDU2-MIB, APC PowerNet-MIB, Server Technology Sentry4-MIB, RFC 7460). The messages
// follow RFC 3416 and the basic encoding rules.
//
// It never accepts a write, never measures (the plant does), answers no wrong community, and
// shares no profile with the controller's driver: both follow the MIBs, so that an error in one
// shows.
//
// Concurrency: Serve starts one goroutine for the socket; the Closer ends and awaits it.
package snmp
