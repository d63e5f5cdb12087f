package vtn

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// maxObjects bounds the objects of each kind.
const maxObjects = 20_000

// store keeps the objects of each kind in the order in which they were made.
type store map[Kind][]Object

func (s store) get(k Kind, id string) Object {
	for _, o := range s[k] {
		if o["id"] == id {
			return o
		}
	}
	return nil
}

// clone copies an object deeply. Numbers keep their digits.
func clone(o Object) Object {
	b, err := json.Marshal(o)
	if err != nil {
		return Object{}
	}
	n, err := decode(b)
	if err != nil {
		return Object{}
	}
	return n
}

func (v *VTN) stamp() string { return v.cfg.Clock.Now().UTC().Format(time.RFC3339Nano) }

// insertLocked gives a checked object its metadata, keeps it and notifies.
func (v *VTN) insertLocked(k Kind, o Object, client string) Object {
	v.serial++
	o["id"] = fmt.Sprintf("%s-%d", strings.ToLower(string(k)), v.serial)
	o["createdDateTime"] = v.stamp()
	v.finish(k, o, client)
	v.store[k] = append(v.store[k], o)
	v.tell(k, "CREATE", o)
	return o
}

// replaceLocked puts a checked object in the place of another.
func (v *VTN) replaceLocked(k Kind, was, o Object) {
	client, _ := was["clientID"].(string)
	if given, ok := o["clientID"].(string); ok {
		client = given
	}
	o["id"], o["createdDateTime"] = was["id"], was["createdDateTime"]
	v.finish(k, o, client)
	i := slices.IndexFunc(v.store[k], func(x Object) bool { return x["id"] == was["id"] })
	v.store[k][i] = o
	v.tell(k, "UPDATE", o)
}

func (v *VTN) removeLocked(k Kind, o Object) {
	v.store[k] = slices.DeleteFunc(v.store[k], func(x Object) bool { return x["id"] == o["id"] })
	v.tell(k, "DELETE", o)
}

// finish writes what only the VTN writes.
func (v *VTN) finish(k Kind, o Object, client string) {
	o["modificationDateTime"] = v.stamp()
	o["objectType"] = string(k)
	owned := k == VEN || k == Resource || k == Report || k == Subscription
	if owned && !v.old {
		if client == "" {
			client = "anonymous"
		}
		o["clientID"] = client
	}
}
