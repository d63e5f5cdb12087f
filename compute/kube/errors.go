package kube

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"switchyard/compute"
)

// ErrIncomplete comes with what is known of a stretch of time of which not all is known.
var ErrIncomplete = errors.New("not all of it is known")

// kind returns which of compute's errors an answer of the API server is.
func kind(err error) error {
	for _, known := range []error{
		compute.ErrUnauthorized, compute.ErrGone, compute.ErrRefused, compute.ErrUnsupported, compute.ErrUnreachable,
	} {
		if errors.Is(err, known) {
			return known
		}
	}
	switch {
	case apierrors.IsUnauthorized(err):
		return compute.ErrUnauthorized
	case apierrors.IsNotFound(err), apierrors.IsGone(err):
		return compute.ErrGone
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err), apierrors.IsBadRequest(err), apierrors.IsConflict(err),
		apierrors.IsMethodNotSupported(err), apierrors.IsNotAcceptable(err), apierrors.IsUnsupportedMediaType(err):
		return compute.ErrRefused
	}
	return compute.ErrUnreachable // no answer, or one that asks to come again
}

// told returns err with what it means to a caller in front.
func told(what string, err error) error {
	if err == nil {
		return nil
	}
	k := kind(err)
	if errors.Is(err, k) {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %w: %w", what, k, err)
}

// passing says whether asking again soon may help.
func passing(err error) bool {
	return errors.Is(kind(err), compute.ErrUnreachable) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled)
}
