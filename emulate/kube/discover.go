package kube

import (
	"encoding/json"
	"net/http"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
)

// discover answers what clients ask about the server itself, and says whether it did.
func (s *Server) discover(w http.ResponseWriter, r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	path := strings.TrimRight(r.URL.Path, "/")
	var v any
	switch path {
	case "/healthz", "/readyz", "/livez":
		answer(w, http.StatusOK, []byte("ok"))
		return true
	case "/version":
		v = version.Info{Major: "1", Minor: "34", GitVersion: "v1.34.1", Compiler: "gc", Platform: "linux/amd64"}
	case "/api":
		v = metav1.APIVersions{TypeMeta: metav1.TypeMeta{Kind: "APIVersions", APIVersion: "v1"}, Versions: []string{"v1"}}
	case "/apis":
		v = s.groups()
	default:
		if g := s.oneGroup(path); g != nil {
			v = g
			break
		}
		list := s.resources(path)
		if list == nil {
			return false
		}
		v = list
	}
	b, err := json.Marshal(v)
	if err != nil {
		fail(w, err)
		return true
	}
	answer(w, http.StatusOK, b)
	return true
}

func (s *Server) groups() metav1.APIGroupList {
	list := metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}}
	seen := map[string]bool{"": true}
	for _, r := range s.store.all() {
		if seen[r.Group] {
			continue
		}
		seen[r.Group] = true
		if g := s.group(r); len(g.Versions) > 0 {
			list.Groups = append(list.Groups, g)
		}
	}
	return list
}

// group tells of a resource's group.
func (s *Server) group(r *Resource) metav1.APIGroup {
	g := metav1.APIGroup{Name: r.Group}
	for _, v := range s.versions(r) {
		gv := target{res: r, version: v}.groupVersion()
		g.Versions = append(g.Versions, metav1.GroupVersionForDiscovery{GroupVersion: gv, Version: v})
	}
	if len(g.Versions) > 0 {
		g.PreferredVersion = g.Versions[0]
	}
	return g
}

// oneGroup answers for a path that is a group's; nil: it is none.
func (s *Server) oneGroup(path string) *metav1.APIGroup {
	name, ok := strings.CutPrefix(path, "/apis/")
	for _, r := range s.store.all() {
		if ok && r.Group == name && len(s.versions(r)) > 0 {
			g := s.group(r)
			g.TypeMeta = metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}
			return &g
		}
	}
	return nil
}

func (s *Server) resources(path string) *metav1.APIResourceList {
	gv := strings.TrimPrefix(strings.TrimPrefix(path, "/apis/"), "/api/")
	var list *metav1.APIResourceList
	for _, r := range s.store.all() {
		_, version, _ := strings.Cut(gv, "/")
		if r.Group == "" {
			version = gv
		}
		if (target{res: r, version: version}).groupVersion() != gv || !s.serves(r, version) || (r.Group == "") != strings.HasPrefix(path, "/api/") {
			continue
		}
		if list == nil {
			list = &metav1.APIResourceList{TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: gv}
		}
		list.APIResources = append(list.APIResources, metav1.APIResource{
			Name: r.Name, SingularName: r.Singular, Namespaced: r.Namespaced, Kind: r.Kind,
			Verbs: metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"},
		})
		if r.status {
			list.APIResources = append(list.APIResources, metav1.APIResource{Name: r.Name + "/status", Namespaced: r.Namespaced, Kind: r.Kind, Verbs: metav1.Verbs{"get", "patch", "update"}})
		}
	}
	return list
}
