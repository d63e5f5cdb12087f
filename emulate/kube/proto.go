package kube

import (
	"bytes"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
)

// protobuf is the media type in which typed clients send built-in kinds.
const protobuf = "application/vnd.kubernetes.protobuf"

// magic begins every body in it; an envelope with the kind follows.
var magic = []byte("k8s\x00")

// unpack reads a body into an object that has a protobuf form.
func unpack(body []byte, into any) (err error) {
	rest, ok := bytes.CutPrefix(body, magic)
	if !ok {
		return fmt.Errorf("the body does not begin as protobuf of this API does")
	}
	var envelope runtime.Unknown
	if err := envelope.Unmarshal(rest); err != nil {
		return err
	}
	m, ok := into.(interface{ Unmarshal(b []byte) error })
	if !ok {
		return fmt.Errorf("%T has no protobuf form", into)
	}
	return m.Unmarshal(envelope.Raw)
}

func decodeProto(r *Resource, body []byte) (Object, error) {
	o := r.make()
	if err := unpack(body, o); err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("%s cannot be handled: %v", r.Kind, err))
	}
	return o, nil
}
