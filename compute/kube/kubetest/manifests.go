package kubetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// module returns the folder of an engine's own sources, where its manifests are.
func module(ctx context.Context, root, engine, path string) (string, error) {
	dir := filepath.Join(root, "tools", "engines", engine)
	goTool := func(args ...string) (string, error) {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			return "", fmt.Errorf("find %s: %w: %s", path, err, stderr.String())
		}
		return strings.TrimSpace(string(out)), nil
	}
	found, err := goTool("list", "-m", "-f", "{{.Dir}}", path)
	if err != nil || found != "" {
		return found, err
	}
	if _, err := goTool("mod", "download", path); err != nil {
		return "", err
	}
	return goTool("list", "-m", "-f", "{{.Dir}}", path)
}

// documents reads the YAML documents of files.
func documents(files ...string) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("read manifests: %w", err)
		}
		some, err := Documents(b)
		if err != nil {
			return nil, fmt.Errorf("read manifests of %s: %w", f, err)
		}
		out = append(out, some...)
	}
	return out, nil
}

// Documents reads the objects of a YAML text with one or more documents.
func Documents(b []byte) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for doc := range strings.SplitSeq("\n"+string(b), "\n---") {
		var o map[string]any
		if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
			return nil, err
		}
		if len(o) > 0 {
			out = append(out, &unstructured.Unstructured{Object: o})
		}
	}
	return out, nil
}

// plurals are the resources of the kinds that are applied here.
var plurals = map[string]string{
	"CustomResourceDefinition": "customresourcedefinitions", "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
	"ValidatingWebhookConfiguration": "validatingwebhookconfigurations", "ClusterRole": "clusterroles",
	"ClusterRoleBinding": "clusterrolebindings",
}

// Apply puts objects without a namespace into the cluster, by server-side apply.
func (c *Cluster) Apply(ctx context.Context, all ...*unstructured.Unstructured) error {
	for _, o := range all {
		gvk := o.GroupVersionKind()
		plural := plurals[gvk.Kind]
		if plural == "" {
			return fmt.Errorf("apply %s %s: its kind is not known here", gvk.Kind, o.GetName())
		}
		r := c.dynamic.Resource(schema.GroupVersionResource{Group: gvk.Group, Version: gvk.Version, Resource: plural})
		if _, err := r.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: "kubetest", Force: true}); err != nil {
			return fmt.Errorf("apply %s %s: %w", gvk.Kind, o.GetName(), err)
		}
	}
	return nil
}

// served are the paths of Kueue's webhooks that it serves with only batch Jobs switched on.
var served = []string{"batch-v1-job", "kueue-x-k8s-io-v1beta1-"}

// webhooks points Kueue's webhooks at the program on this machine, and leaves out those of
// frameworks that are not switched on.
func webhooks(all []*unstructured.Unstructured, port int, ca []byte) error {
	for _, o := range all {
		hooks, _, err := unstructured.NestedSlice(o.Object, "webhooks")
		if err != nil {
			return fmt.Errorf("read webhooks: %w", err)
		}
		var keep []any
		for _, h := range hooks {
			hook, ok := h.(map[string]any)
			if !ok {
				continue
			}
			path, _, _ := unstructured.NestedString(hook, "clientConfig", "service", "path")
			for _, s := range served {
				if strings.Contains(path, s) {
					hook["clientConfig"] = map[string]any{
						"url":      fmt.Sprintf("https://127.0.0.1:%d%s", port, path),
						"caBundle": base64.StdEncoding.EncodeToString(ca),
					}
					keep = append(keep, hook)
				}
			}
		}
		if err := unstructured.SetNestedSlice(o.Object, keep, "webhooks"); err != nil {
			return fmt.Errorf("write webhooks: %w", err)
		}
	}
	return nil
}
