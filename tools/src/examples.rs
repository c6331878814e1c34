//! The examples at the end of every command's `--help`.
//!
//! Each line is a command as it is typed, and after two blanks or more what it does; a test parses
//! them all, and asks for some of every command.

/// Of the command itself.
pub const STRAIT: &str = "\
Examples:
  strait list                       what channels there are, and who has them
  strait inspect prod orders        everything about one of them
  strait top                        what goes through them, and who waits for whom
  strait doctor                     whether this machine is set up for them
  strait bench rtt                  how fast they are here";

/// Of `list`.
pub const LIST: &str = "\
Examples:
  strait list                       all channels in /dev/shm
  strait list prod                  those of one domain
  strait list --json                for programs
  strait list --directory /mnt/shm  those of a domain that lies elsewhere";

/// Of `inspect`.
pub const INSPECT: &str = "\
Examples:
  strait inspect prod orders        channel `orders` of domain `prod`
  strait inspect prod .services     what the domain's services offer, and who
  strait inspect --file /dev/shm/strait-1000-prod+orders
                                    a file, whoever made it";

/// Of `top`.
pub const TOP: &str = "\
Keys: ? shows them.

With --json, the first line is printed at once and has no rates; all others tell what happened
since the line before.

Examples:
  strait top                        all channels in /dev/shm, every second
  strait top prod --interval 200ms --sort rate
                                    those of one domain, the busiest first
  strait top --json --count 2 --interval 5s
                                    what goes through in five seconds, for programs";

/// Of `clean`.
pub const CLEAN: &str = "\
Examples:
  strait clean --dry-run            what would be removed
  strait clean                      remove all that nobody has open
  strait clean prod --keep-unread   of one domain, but no messages that nobody has read
  strait clean prod orders          one channel; it is an error if it is in use";

/// Of `doctor`.
pub const DOCTOR: &str = "\
It needs no privileges and changes nothing. `sysctl -w`, `mount -o remount` and what is written to
/sys last until the next boot; /etc/sysctl.d and /etc/fstab make them last.

Exit status:
  0  no problem was found
  1  there is a problem, or with --strict a warning
  2  it could not look

Examples:
  strait doctor                     look at everything, and measure for some seconds
  strait doctor --all --no-measure  everything, at once
  strait doctor --strict --quick    before a start: let warnings count as problems
  strait doctor --json              for programs
  strait doctor --directory /mnt/shm
                                    of channels that lie elsewhere";

/// Of `bench`.
pub const BENCH: &str = "\
Examples:
  strait bench rtt                  round trips of 48 bytes
  strait bench stream --batch 32    as many messages as go through, in batches
  strait bench call                 calls of a service";

/// Of `bench rtt`.
pub const RTT: &str = "\
Examples:
  strait bench rtt --size 48        messages of 48 bytes
  strait bench rtt --cores 2,3 --report out
                                    on two cores of your own, with histograms and a plot
  strait bench rtt --wait park      between sides that sleep
  strait bench rtt --call           with calls of a service beside";

/// Of `bench oneway`.
pub const ONEWAY: &str = "\
Examples:
  strait bench oneway               at half the rate that goes through
  strait bench oneway --rate 1e6    a million messages a second";

/// Of `bench stream`.
pub const STREAM: &str = "\
Examples:
  strait bench stream --size 64     one by one
  strait bench stream --batch 32    in batches
  strait bench stream --size 8 --dense
                                    in the smallest cells
  strait bench stream --size 1048576
                                    long messages, beside bare memory";

/// Of `bench wake`.
pub const WAKE: &str = "\
Examples:
  strait bench wake                 on one core and on two
  strait bench wake --cores 0,0     on one only";

/// Of `bench fanout`.
pub const FANOUT: &str = "\
Examples:
  strait bench fanout               one sender, up to 64 receivers
  strait bench fanout --rounds 5 --json
                                    briefly, for programs";

/// Of `bench latest`.
pub const LATEST: &str = "\
Examples:
  strait bench latest               beside locks
  strait bench latest --cores 2,3   on two cores of your own";

/// Of `bench mpmc`.
pub const MPMC: &str = "\
Examples:
  strait bench mpmc                 beside other queues
  strait bench mpmc --count 1000000 --rounds 5
                                    fewer and longer rounds";

/// Of `bench registry`.
pub const REGISTRY: &str = "\
Examples:
  strait bench registry             beside a map without a lock
  strait bench registry --json      for programs";

/// Of `bench call`.
pub const CALL: &str = "\
Examples:
  strait bench call                 local and through shared memory
  strait bench call --count 60000   fewer calls in each round";

/// Of `bench observed`.
pub const OBSERVED: &str = "\
Examples:
  strait bench observed             what it costs to be looked at
  strait bench observed --cores 2,3
                                    on two cores of your own";

/// Of `verify`.
pub const VERIFY: &str = "\
Examples:
  strait verify                     all rows, as a table
  strait verify B2 J                one row, and all of a letter
  strait verify all --json          for programs";

/// Of `completions`.
pub const COMPLETIONS: &str = "\
Examples:
  strait completions bash > ~/.local/share/bash-completion/completions/strait
  strait completions zsh > ~/.zfunc/_strait
  strait completions fish > ~/.config/fish/completions/strait.fish
  strait completions elvish >> ~/.config/elvish/rc.elv
  strait completions powershell >> ~/.config/powershell/profile.ps1";

/// Of `man`.
pub const MAN: &str = "\
Examples:
  strait man | man -l -             read the first page
  strait man --directory ~/.local/share/man/man1
                                    install a page for every command, for `man strait-doctor`";
