// Package discover owns finding devices: scanning networks, listening to the makers' "I am
// here" broadcasts, the register of which device has which MAC and serial number, finding a
// device again whose address changed, and reading rack maps.
//
// It never commands a device and never changes an address by itself: it says what it found,
// and its caller decides. It knows no driver: how a device is asked who it is comes in as a
// function.
//
// A scan has two stages. The first opens and closes TCP connections to the few ports that
// drivers use, the commonest two first; an address of which one answers, be it with a
// refusal, is asked on the others. How many connections are under way at once grows while
// this goes well, and shrinks when this machine runs out of something (open files, buffers,
// local ports) or when an address that had answered before no longer does: a full neighbour
// table or a saturated link loses the living, and silence then proves nothing. The second
// stage asks the devices behind open ports who they are, beside the first.
//
// Concurrency: Scan, Listen and Finder.Run block and end all that they started before they
// return. A Registry and a Finder are safe for concurrent use. Parsers are pure.
package discover
