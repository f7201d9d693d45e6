// What pgx gets: arguments are URLs; each is asked who answers, and then for a
// sleep that its context's deadline cancels.
package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v4"
)

const (
	who = `SELECT host(inet_server_addr()), pg_is_in_recovery()::text,
		coalesce(current_setting('patroute.target', true), ''),
		current_setting('application_name')`
	deadline = 2 * time.Second // the statement runs by then
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Whether the statement ended on its member, within 10 s: pgx does not wait.
// That its client has gone, too, a session learns only after it has slept.
func ended(address string, pid uint32) string {
	ctx := context.Background()
	member, err := pgx.Connect(ctx, fmt.Sprintf(
		"postgres://postgres@%s:5432/postgres?sslmode=disable", address))
	must(err)
	defer member.Close(ctx)
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
		var n int
		must(member.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity
			WHERE pid = $1`, int32(pid)).Scan(&n))
		if n == 0 {
			return "ended"
		}
		time.Sleep(50 * time.Millisecond)
	}
	return "sleeps on"
}

func ask(url string) {
	ctx := context.Background()
	c, err := pgx.Connect(ctx, url)
	must(err)
	var how []interface{}
	if strings.Contains(url, "replication=") { // takes no other
		how = append(how, pgx.QuerySimpleProtocol(true))
	}
	var address, recovery, target, name string
	must(c.QueryRow(ctx, who, how...).Scan(&address, &recovery, &target,
		&name))

	short, stop := context.WithTimeout(ctx, deadline)
	defer stop()
	_, err = c.Exec(short, "SELECT pg_sleep(60)", how...)
	fmt.Println(strings.Join([]string{address, recovery, target, name,
		fmt.Sprint(err), ended(address, c.PgConn().PID())}, "|"))
}

func main() {
	for _, url := range os.Args[1:] {
		ask(url)
	}
}
