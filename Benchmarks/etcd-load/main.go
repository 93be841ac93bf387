// etcd-load sends one kind of request to etcd as fast as the answers come and prints one line of figures, in the words of s3-load.
//
// Built without modules on Debian's golang-etcd-server-dev: GO111MODULE=off GOPATH=/usr/share/gocode go build main.go
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"go.etcd.io/etcd/clientv3"
)

type result struct {
	latencies []int64 // Microseconds.
	answers   int
	errors    int
	lastAt    time.Time
}

// plan is what all clients share.
type plan struct {
	kind        string
	prefix      string
	keys        int64
	value       string
	measureFrom time.Time
	end         time.Time
	next        int64
}

func processorSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}

// run sends a request, waits for its answer, sends the next one.
func (p *plan) run(client clientv3.KV) result {
	var r result
	for time.Now().Before(p.end) {
		number := atomic.AddInt64(&p.next, 1) - 1
		if p.kind == "put" && number >= p.keys {
			return r
		}
		key := fmt.Sprintf("%s%d", p.prefix, number%p.keys)
		begin := time.Now()
		var err error
		if p.kind == "put" {
			_, err = client.Put(context.Background(), key, p.value)
		} else {
			var answer *clientv3.GetResponse
			// Linearizable: the default of a range.
			answer, err = client.Get(context.Background(), key)
			if err == nil && len(answer.Kvs) != 1 {
				err = fmt.Errorf("no such key: %s", key)
			}
		}
		now := time.Now()
		r.answers++
		if err != nil {
			if r.errors == 0 {
				log.Print(err)
			}
			r.errors++
		}
		if !now.Before(p.measureFrom) {
			r.latencies = append(r.latencies, now.Sub(begin).Microseconds())
			r.lastAt = now
		}
	}
	return r
}

func main() {
	endpoints := flag.String("endpoints", "127.0.0.1:2379", "`addresses` of the members, separated by commas")
	clients := flag.Int("clients", 64, "clients, each with one request at a time, spread over the members")
	connections := flag.Int("connections", 1, "connections to each member, which its clients share")
	seconds := flag.Float64("seconds", 5, "measured seconds, after those of warming up")
	warmUp := flag.Float64("warm-up", 1, "seconds of warming up")
	prefix := flag.String("prefix", "key-", "keys are PREFIX0, PREFIX1, …")
	keys := flag.Int64("keys", 10000, "distinct keys; get goes round, put ends after the last one")
	size := flag.Int("size", 256, "bytes of each value")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "etcd-load [OPTION…] put|get")
		flag.PrintDefaults()
	}
	flag.Parse()
	kind := flag.Arg(0)
	if flag.NArg() != 1 || kind != "put" && kind != "get" || *keys < 1 || *clients < 1 || *connections < 1 {
		flag.Usage()
		os.Exit(64)
	}

	// A client of one endpoint holds one connection.
	addresses := strings.Split(*endpoints, ",")
	var pool []*clientv3.Client
	for number := 0; number < len(addresses)**connections; number++ {
		client, err := clientv3.New(clientv3.Config{
			Endpoints: []string{addresses[number%len(addresses)]}, DialTimeout: 5 * time.Second,
		})
		if err != nil {
			log.Fatal(err)
		}
		defer client.Close()
		if _, err := client.Get(context.Background(), "health"); err != nil {
			log.Fatal(err)
		}
		pool = append(pool, client)
	}

	start, startProcessor := time.Now(), processorSeconds()
	p := &plan{kind: kind, prefix: *prefix, keys: *keys, value: strings.Repeat("b", *size)}
	p.measureFrom = start.Add(time.Duration(*warmUp * float64(time.Second)))
	p.end = p.measureFrom.Add(time.Duration(*seconds * float64(time.Second)))
	results := make([]result, *clients)
	var group sync.WaitGroup
	for number := range results {
		group.Add(1)
		go func(number int) {
			defer group.Done()
			results[number] = p.run(pool[number%len(pool)])
		}(number)
	}
	group.Wait()
	spent, lasted := processorSeconds()-startProcessor, time.Since(start).Seconds()
	report(p, results, spent, lasted)
}

func report(p *plan, results []result, processor, lasted float64) {
	var all result
	for _, r := range results {
		all.latencies = append(all.latencies, r.latencies...)
		all.answers += r.answers
		all.errors += r.errors
		if r.lastAt.After(all.lastAt) {
			all.lastAt = r.lastAt
		}
	}
	sort.Slice(all.latencies, func(a, b int) bool { return all.latencies[a] < all.latencies[b] })
	count := len(all.latencies)
	percentile := func(fraction float64) int64 {
		if count == 0 {
			return 0
		}
		place := int(float64(count) * fraction)
		if place >= count {
			place = count - 1
		}
		return all.latencies[place]
	}
	elapsed, rate := 0.0, 0.0
	if count > 0 {
		elapsed = all.lastAt.Sub(p.measureFrom).Seconds()
		rate = float64(count) / elapsed
	}
	fmt.Printf("requests=%d all_requests=%d seconds=%.3f requests_per_second=%.0f ", count, all.answers, elapsed, rate)
	fmt.Printf("p50_us=%d p99_us=%d max_us=%d errors=%d ", percentile(0.5), percentile(0.99), percentile(1), all.errors)
	fmt.Printf("generator_cpu_seconds=%.3f generator_load=%.3f\n", processor, processor/lasted)
}
