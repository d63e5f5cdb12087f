package energyreport

import (
	"fmt"
	"slices"
	"time"

	"switchyard/strictyaml"
)

// Facility is what a report says of a site that no meter tells. Empty fields are left out, and
// the report says that they are.
type Facility struct {
	Company  string `yaml:"company"`
	Contact  string `yaml:"contact"`
	Name     string `yaml:"facility"` // default: the site's name
	Address  string `yaml:"address"`
	County   string `yaml:"county"`
	State    string `yaml:"state"`
	Country  string `yaml:"country"`
	Supplier string `yaml:"supplier"` // who sells the power
	Balance  string `yaml:"balancing_authority"`
	// Equipment says when miners were installed, by group.
	Equipment []Equipment `yaml:"equipment"`
}

// Equipment is a number of a group's miners installed at one time.
type Equipment struct {
	Group     string `yaml:"group"`
	Units     int    `yaml:"units"`     // default: all of the group
	Installed string `yaml:"installed"` // "2024-03" or "2024-03-15"

	at time.Time
}

// ParseFacility reads a facility file and reports all faults together. The groups are the
// site's; nil: they are not checked.
func ParseFacility(name string, data []byte, groups []string) (*Facility, error) {
	if len(data) > strictyaml.MaxSize {
		return nil, strictyaml.Faults{{File: name, Line: 1, Column: 1, Message: fmt.Sprintf("the file has more than the %d bytes allowed", strictyaml.MaxSize)}}
	}
	f := &Facility{}
	doc, faults := strictyaml.Decode(name, data, f)
	for i := range f.Equipment {
		e := &f.Equipment[i]
		path := fmt.Sprintf("equipment[%d]", i)
		var err error
		if e.at, err = time.Parse(time.DateOnly, e.Installed); err != nil {
			if e.at, err = time.Parse("2006-01", e.Installed); err != nil {
				faults = append(faults, doc.Fault(path+".installed", `write it like "2024-03"`, "%q is no month", e.Installed))
			}
		}
		if e.Units < 0 {
			faults = append(faults, doc.Fault(path+".units", "leave it out for all of the group", "%d units", e.Units))
		}
		if groups != nil && !slices.Contains(groups, e.Group) {
			faults = append(faults, doc.Fault(path+".group", strictyaml.Suggest(e.Group, groups), "there is no group %q", e.Group))
		}
	}
	if err := faults.Sorted().Err(); err != nil {
		return nil, err
	}
	return f, nil
}
