package slurmtest

import (
	"fmt"
	"time"
)

// Accounts returns the tenants' accounts: the first has firm work, the others flexible.
func (c *Cluster) Accounts() []string { return []string{"firm1", "tenanta", "tenantb"} }

// startAccounting starts a MariaDB of its own and slurmdbd over it, and enters the tenants.
func (c *Cluster) startAccounting() error {
	sock := c.path("run/mysql.sock")
	if _, err := c.Command("mariadb-install-db", "--no-defaults", "--user=root", "--datadir="+c.path("db"),
		"--auth-root-authentication-method=normal", "--skip-test-db"); err != nil {
		return err
	}
	if err := c.start("mariadbd", "--no-defaults", "--user=root", "--datadir="+c.path("db"), "--socket="+sock,
		fmt.Sprintf("--port=%d", c.ports.sql), "--bind-address=127.0.0.1", "--pid-file="+c.path("run/mysql.pid"),
		"--innodb-buffer-pool-size=64M", "--skip-log-bin"); err != nil {
		return err
	}
	if err := c.until(20*time.Second, "MariaDB", func() bool {
		_, err := c.Command("mariadb", "--no-defaults", "-S", sock, "-e", "select 1")
		return err == nil
	}); err != nil {
		return err
	}
	sql := "create database slurm_acct_db;"
	for _, from := range []string{"127.0.0.1", "localhost"} {
		sql += fmt.Sprintf("create user slurm@'%s' identified by 'slurm'; grant all on slurm_acct_db.* to slurm@'%s';", from, from)
	}
	if _, err := c.Command("mariadb", "--no-defaults", "-S", sock, "-e", sql); err != nil {
		return err
	}
	if err := c.StartAccounting(); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"-i", "add", "cluster", "site"},
		{"-i", "add", "account", "firm1,tenanta,tenantb", "Cluster=site"},
		{"-i", "add", "user", "root", "account=tenanta,tenantb,firm1", "DefaultAccount=tenanta"},
	} {
		if _, err := c.Command("sacctmgr", args...); err != nil {
			return err
		}
	}
	return nil
}
