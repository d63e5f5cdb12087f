package gpuagent

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"
)

// Listen is where an agent serves and to whom.
type Listen struct {
	Addr string // "127.0.0.1:9700"
	// Token is what a request must bear; Cert and Key are paths of PEM files.
	Token, Cert, Key string
	// Insecure allows an address that others reach without a token or without TLS.
	Insecure bool
}

// Check says what is wrong with l, before anything is opened.
func (l Listen) Check() error {
	if _, _, err := net.SplitHostPort(l.Addr); err != nil {
		return fmt.Errorf("--listen %q is no address with a port; write it like 127.0.0.1:9700", l.Addr)
	}
	if (l.Cert == "") != (l.Key == "") {
		return errors.New("TLS needs both --tls-cert and --tls-key")
	}
	if l.loopback() || l.Insecure {
		return nil
	}
	switch {
	case l.Token == "" && l.Cert == "":
		return fmt.Errorf("--listen %s can be reached from other machines: whoever gets there could hold the GPUs; give --token-ref and --tls-cert with --tls-key, or listen on 127.0.0.1, or say --insecure", l.Addr)
	case l.Token == "":
		return fmt.Errorf("--listen %s can be reached from other machines: give --token-ref (env:NAME or file:PATH), or say --insecure", l.Addr)
	case l.Cert == "":
		return fmt.Errorf("--listen %s can be reached from other machines and the token would go there in clear: give --tls-cert and --tls-key, or say --insecure", l.Addr)
	}
	return nil
}

// loopback says whether only this machine reaches the address. A name other than localhost may
// lead anywhere.
func (l Listen) loopback() bool {
	host, _, err := net.SplitHostPort(l.Addr)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Serve runs an agent until ctx ends: its lease and its HTTP service. With restore the GPUs get
// their original limits back before it returns. Ready, where given, hears the address that was
// bound. It blocks.
func (a *Agent) Serve(ctx context.Context, l Listen, restore bool, ready func(net.Addr)) error {
	if err := l.Check(); err != nil {
		return err
	}
	var secure *tls.Config
	if l.Cert != "" {
		pair, err := tls.LoadX509KeyPair(l.Cert, l.Key)
		if err != nil {
			return fmt.Errorf("read --tls-cert %s and --tls-key %s: %w", l.Cert, l.Key, err)
		}
		secure = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	}
	in, err := (&net.ListenConfig{}).Listen(ctx, "tcp", l.Addr)
	if err != nil {
		return fmt.Errorf("listen for the controller: %w; choose another address with --listen", err)
	}
	server := &http.Server{
		Handler: a.Handler(l.Token), TLSConfig: secure, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second,
		WriteTimeout: driving + reading, IdleTimeout: 3 * time.Minute, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(a.c.Log.Handler(), slog.LevelDebug), // scanners of the network are nobody's matter
	}
	if ready != nil {
		ready(in.Addr())
	}
	run, stop := context.WithCancel(ctx)
	kept := make(chan struct{})
	go func() { a.Run(run); close(kept) }()
	served := make(chan error, 1)
	go func() {
		if secure != nil {
			served <- server.ServeTLS(in, "", "")
			return
		}
		served <- server.Serve(in)
	}()
	select {
	case err = <-served:
	case <-ctx.Done():
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		err = server.Shutdown(last)
		cancel()
		if <-served; err != nil {
			err = server.Close()
		}
	}
	stop()
	<-kept
	if restore {
		err = errors.Join(err, a.restore(context.WithoutCancel(ctx)))
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// restore gives the GPUs their original limits back at a clean exit.
func (a *Agent) restore(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, driving)
	defer cancel()
	out, err := a.Uncap(ctx, "exit")
	if err == nil {
		err = out.Refused()
	}
	if err != nil {
		return fmt.Errorf("restore the GPUs' original limits: %w", err)
	}
	return nil
}
