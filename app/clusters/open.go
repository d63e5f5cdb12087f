package clusters

import (
	"errors"

	"switchyard/sitefile/cluster"
)

// reach opens a cluster as the site file says.
func (c *Clusters) reach(cluster.Cluster) (Reach, error) {
	return Reach{}, errors.New("not yet")
}
