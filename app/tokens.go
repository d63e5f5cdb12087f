package app

import (
	"context"

	"switchyard/api"
	"switchyard/store"
)

// TokensIn returns the tokens kept in a store, for commands that work on the store while no
// controller runs. With a store opened for reading, they can be listed only. It blocks on the disk.
func TokensIn(ctx context.Context, db *store.DB) (*api.Tokens, error) {
	return api.LoadTokens(ctx, tokenStore{db})
}
