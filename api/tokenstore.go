package api

import (
	"context"

	"switchyard/store"
)

const tokensKey = "api.tokens"

type tokenStore struct{ db *store.DB }

func (s tokenStore) LoadTokens(ctx context.Context) ([]byte, error) {
	return s.db.GetState(ctx, tokensKey)
}

func (s tokenStore) SaveTokens(ctx context.Context, doc []byte) error {
	return s.db.PutState(ctx, tokensKey, doc)
}

// TokensIn returns the tokens kept in a store. With a store opened for reading, they can be
// listed only. It blocks on the disk.
func TokensIn(ctx context.Context, db *store.DB) (*Tokens, error) {
	return LoadTokens(ctx, tokenStore{db})
}
