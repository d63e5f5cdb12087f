package modbus

import (
	"bytes"

	"switchyard/emulate/plant"
)

// Exchange answers the first frame in the bytes; nil where the server would close.
func Exchange(m *plant.Meter, layout string, in []byte) []byte {
	s := &server{meter: m, unit: 3, image: layouts[layout]}
	out, err := s.exchange(bytes.NewReader(in))
	if err != nil {
		return nil
	}
	return out
}
