package openadr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"switchyard/signal/openadr/event"
)

// again is how often registration and subscriptions are looked after.
const again = 10 * time.Minute

// enrolment is what is registered at the VTN.
type enrolment struct {
	ven, resource string // their ids
	subscribed    map[string]string
	tried         bool
	next          time.Time // when to look again, site time
	err           error     // why something is not registered
	hookErr       error     // why there are no notifications
	notifier      string    // what else the VTN offers
}

// named is an object that has an id and one of the names that are looked for.
type named struct {
	ID       string `json:"id"`
	VEN      string `json:"venName"`
	Resource string `json:"resourceName"`
}

type (
	venOut struct {
		ObjectType string `json:"objectType"`
		Name       string `json:"venName"`
	}
	resourceReg struct {
		ObjectType string `json:"objectType"`
		Name       string `json:"resourceName"`
		VEN        string `json:"venID,omitempty"` // 3.1; in 3.0 the path says it
	}
	subscriptionOut struct {
		ClientName string         `json:"clientName"`
		ProgramID  string         `json:"programID,omitempty"`
		Operations []operationOut `json:"objectOperations"`
		Targets    any            `json:"targets,omitempty"`
	}
	operationOut struct {
		Objects    []string `json:"objects"`
		Operations []string `json:"operations"`
		Callback   string   `json:"callbackUrl"`
		Bearer     string   `json:"bearerToken,omitempty"`
	}
)

// enroll registers the VEN and its resource where they are not yet. Each is looked for by name
// first, so that doing it again changes nothing.
func (c *Client) enroll(ctx context.Context) error {
	id, err := c.ensure(ctx, "/vens", "/vens", url.Values{"venName": {c.id.ven}},
		func(n named) bool { return n.VEN == c.id.ven },
		venOut{ObjectType: c.pick("VEN_VEN_REQUEST", "VEN"), Name: c.id.ven})
	if err != nil {
		return fmt.Errorf("register the VEN %s: %w", event.Quote(c.id.ven), err)
	}
	c.enrolled.ven = id
	path, query := "/resources", url.Values{"resourceName": {c.id.resource}, "venID": {id}}
	reg := resourceReg{ObjectType: "VEN_RESOURCE_REQUEST", Name: c.id.resource, VEN: id}
	if c.id.old {
		path = "/vens/" + id + "/resources"
		query.Del("venID")
		reg.ObjectType, reg.VEN = "RESOURCE", ""
	}
	id, err = c.ensure(ctx, path, path, query, func(n named) bool { return n.Resource == c.id.resource }, reg)
	if err != nil {
		return fmt.Errorf("register the resource %s: %w", event.Quote(c.id.resource), err)
	}
	c.enrolled.resource = id
	return nil
}

// pick returns the word of 3.1 or that of 3.0.
func (c *Client) pick(newer, older string) string {
	if c.id.old {
		return older
	}
	return newer
}

// ensure finds an object by its name, or makes it, and returns its id.
func (c *Client) ensure(ctx context.Context, find, path string, query url.Values, is func(named) bool, body any) (string, error) {
	id, err := c.find(ctx, find, query, is)
	if err != nil || id != "" {
		return id, err
	}
	var made named
	err = c.net.send(ctx, http.MethodPost, path, body, &made)
	if final(err) { // perhaps somebody was faster; VTNs say so in different ways
		if id, ferr := c.find(ctx, find, query, is); ferr == nil && id != "" {
			return id, nil
		}
	}
	if err != nil {
		return "", err
	}
	if !event.ValidID(made.ID) {
		return "", fmt.Errorf("POST %s: the answer has no id", path)
	}
	return made.ID, nil
}

func (c *Client) find(ctx context.Context, path string, query url.Values, is func(named) bool) (string, error) {
	var id string
	err := c.each(ctx, path, query, maxKept, func(raw json.RawMessage) {
		var n named
		if json.Unmarshal(raw, &n) == nil && is(n) && event.ValidID(n.ID) && id == "" {
			id = n.ID
		}
	})
	return id, err
}

// errMany says that a list is longer than is read.
var errMany = errors.New("the list is longer than is read")

// each goes through all pages of a list.
func (c *Client) each(ctx context.Context, path string, query url.Values, most int, take func(json.RawMessage)) error {
	q := url.Values{}
	for k, v := range query {
		q[k] = v
	}
	for skip := 0; ; skip += pageSize {
		q.Set("skip", strconv.Itoa(skip))
		q.Set("limit", strconv.Itoa(pageSize))
		b, err := c.net.get(ctx, path, q)
		if err != nil {
			return err
		}
		page, err := event.List(b)
		if err != nil {
			return fmt.Errorf("GET %s: %w", path, err)
		}
		for _, raw := range page {
			take(raw)
		}
		switch {
		case len(page) < pageSize:
			return nil
		case skip+pageSize >= most:
			return fmt.Errorf("GET %s: %w: %d", path, errMany, most)
		}
	}
}

// subscribe asks the VTN to notify us, once for the VTN in 3.1 and once a program in 3.0. A
// subscription of ours from before is renewed: its token may be an older one.
func (c *Client) subscribe(ctx context.Context) error {
	programs := []string{""}
	if c.id.old || len(c.cfg.Programs) > 0 {
		programs = programs[:0]
		for id := range c.programs {
			programs = append(programs, id)
		}
	}
	var have []json.RawMessage
	err := c.each(ctx, "/subscriptions", url.Values{"clientName": {c.id.ven}}, maxKept, func(raw json.RawMessage) { have = append(have, raw) })
	if err != nil {
		return fmt.Errorf("subscribe: %w", err)
	}
	for _, id := range programs {
		body := subscriptionOut{ClientName: c.id.ven, ProgramID: id, Operations: []operationOut{{
			Objects: []string{"EVENT", "PROGRAM"}, Operations: []string{"CREATE", "UPDATE", "DELETE"},
			Callback: c.cfg.Webhook, Bearer: c.opt.WebhookToken,
		}}}
		if len(c.cfg.Targets) > 0 && !c.id.old {
			body.Targets = c.cfg.Targets
		}
		method, path := http.MethodPost, "/subscriptions"
		if old := c.subscription(have, id); old != "" {
			method, path = http.MethodPut, "/subscriptions/"+old
		}
		var made named
		if err := c.net.send(ctx, method, path, body, &made); err != nil {
			return c.hide(fmt.Errorf("subscribe: %w", err))
		}
		c.enrolled.subscribed[id] = made.ID
	}
	return nil
}

// subscription finds our own one for a program among those that there are.
func (c *Client) subscription(have []json.RawMessage, program string) string {
	for _, raw := range have {
		var s struct {
			ID         string `json:"id"`
			ClientName string `json:"clientName"`
			ProgramID  string `json:"programID"`
			Operations []struct {
				Callback string `json:"callbackUrl"`
			} `json:"objectOperations"`
		}
		if json.Unmarshal(raw, &s) != nil || !event.ValidID(s.ID) || s.ClientName != c.id.ven || s.ProgramID != program {
			continue
		}
		for _, o := range s.Operations {
			if o.Callback == c.cfg.Webhook {
				return s.ID
			}
		}
	}
	return ""
}

// notifiers asks what else the VTN could notify by. It is told to people and not used.
func (c *Client) notifiers(ctx context.Context) {
	if c.id.old {
		return
	}
	b, err := c.net.get(ctx, "/notifiers", nil)
	if err != nil {
		return // a VTN without it is none the worse
	}
	var n struct {
		MQTT *struct {
			URIs []string `json:"URIS"`
		} `json:"MQTT"`
	}
	if json.Unmarshal(b, &n) == nil && n.MQTT != nil && len(n.MQTT.URIs) > 0 {
		c.enrolled.notifier = "MQTT at " + event.Plain(n.MQTT.URIs[0], 120) + ": offered, not used"
	}
}
