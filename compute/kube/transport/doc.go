// Package transport owns what lies between client-go and an API server: a token that is read again
// from its file when the server refuses it, and which clock the server goes by.
//
// It never reads an object and never shows a token.
//
// Concurrency: everything here is safe for concurrent use; a request blocks as HTTP does.
package transport
