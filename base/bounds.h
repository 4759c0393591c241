/* SPDX-License-Identifier: Apache-2.0 */
/* Every bound of the system in one place: what it bounds, why this value, what happens at it. */
#ifndef TALLY_BOUNDS_H
#define TALLY_BOUNDS_H

/* ---- names and identity ---- */

/* A quorum's name: 1..64 of a-zA-Z0-9._- ; long enough for a feed's name and a day. Longer: refused. */
#define QUORUM_NAME_BYTES_MAX 64

/* ---- one quorum ---- */

/* Voters in one set. Majorities of more than 7 cost more than they give. More: the change is refused. */
#define VOTERS_MAX 7
/* Learners in one configuration: one newcomer or follower site per voter. */
#define LEARNERS_MAX 7
/* Other nodes that one replicator may have to talk to: both sets of a transition and the learners, without
 * itself, and the last removed ones while they are told. */
#define PEERS_MAX 24
/* Runs of equal term that the core knows by heart. Every leader change starts one; at 256 the oldest is
 * dropped, and the host looks up older terms on the tape when the core asks. */
#define RUNS_MAX 256
/* Configurations in the log from the newest known committed one on. Rule 3 lets a leader log another only
 * after an entry of its own term is committed, so more than a handful means that a peer sends nonsense: the
 * entry is refused. */
#define CONFIGURATIONS_MAX 8
/* Entries in flight to one peer (sent, not yet received): a bandwidth-delay product of 10 Gbit/s x 5 ms at
 * 256 bytes an entry is 24 k; at the bound the leader waits for an acknowledgement. */
#define WINDOW_ENTRIES_MAX 32768
/* Messages with entries in flight to one peer; a ring between cores has as many places for bulk frames. */
#define WINDOW_MESSAGES_MAX 256
/* Runs of equal term inside one message of entries; a message is cut before the next one. */
#define MESSAGE_RUNS_MAX 8
/* Ranges of submissions whose outcome is not decided. One leadership makes one range, cut only by
 * leader-start and configuration entries; at the bound a submission is refused with BUSY. */
#define PENDING_RANGES_MAX 32
/* Uncommitted payload at a leader; at the bound submissions are refused with BUSY. A second at 60 MB/s. */
#define UNCOMMITTED_BYTES_MAX (64u << 20)

/* ---- one core ---- */

/* Quorums on one consensus core: the table is searched by hash, idle ones cost a deadline each. */
#define QUORUMS_MAX 1024
/* Sources whose last sequence a quorum's stream state keeps (REFUSED_SOURCES_FULL beyond). */
#define SOURCES_MAX 1024
/* Subscribers on one consensus core; each holds a cursor and a window. More: refused, SUBSCRIBERS_FULL. */
#define SUBSCRIBERS_MAX 64
/* Publishers attached to one consensus core at a time; more: refused, PUBLISHERS_FULL. */
#define PUBLISHERS_MAX 256
/* Nodes of one cluster that a node may name in its configuration. */
#define NODES_MAX 32
/* Dataplane and consensus cores of one node. A node with more of either is two nodes. */
#define DATAPLANE_CORES_MAX 8
#define CONSENSUS_CORES_MAX 8

/* ---- bytes ---- */

/* Record head + payload. 16 bits of length; configurations, checkpoint pieces and jumbo packets all fit. */
#define RECORD_BYTES_MAX 65528u
/* Message blocks of one DATA entry: one egress packet of 1,280 bytes without its 20-byte MoldUDP64 head, so
 * that a full entry fits a sealed frame on a 1,500-byte link (static_assert in proto/frame.h). Larger:
 * refused at the publisher, PAYLOAD_TOO_LARGE. */
#define DATA_BLOCKS_BYTES_MAX 1260u
/* The same on links of 9,000 bytes: egress packets of 1,472 bytes. */
#define DATA_BLOCKS_BYTES_MAX_JUMBO 1452u
/* Largest frame (frame head to tag) on any port: a 9,000-byte IP packet without its IP and UDP heads. */
#define FRAME_BYTES_MAX 8972u
/* The same on a 1,500-byte link. */
#define FRAME_BYTES_MAX_1500 1472u

#endif
