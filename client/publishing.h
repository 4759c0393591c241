/* SPDX-License-Identifier: Apache-2.0 */
/* The publishing half of a client. Entries wait in a ring until they are decided:
 *
 *     first ......... send_next ......... next         source sequences; sent_end is the highest send_next
 * ever was sent, undecided |      to be sent   |
 *
 * They go out in order, many a frame. The leader takes a source's entries without a hole, so what it misses
 * is sent again from there (go-back-N): when it says so, when it was asked after a silence, and at every new
 * leader. Its answers are cumulative watermarks, so losing or doubling one does no harm. */
#ifndef TALLY_PUBLISHING_H
#define TALLY_PUBLISHING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bounds.h"
#include "message.h"
#include "tally.h"

#define PUBLISHING_ENTRY_HEAD_BYTES 4

/* From blocks_bytes on these are the bytes of one entry in a PUBLISH frame's tail. */
struct publishing_slot {
    uint64_t published_ns;
    uint64_t bytes_before; /* tail bytes of all entries published before this one */
    uint16_t blocks_bytes;
    uint16_t message_count;
    uint8_t blocks[DATA_BLOCKS_BYTES_MAX_JUMBO];
};

_Static_assert(offsetof(struct publishing_slot, blocks) ==
                   offsetof(struct publishing_slot, blocks_bytes) + PUBLISHING_ENTRY_HEAD_BYTES,
               "copied in one piece");

enum publishing_state {
    PUBLISHING_IDLE,     /* nothing was published yet: no node is bothered */
    PUBLISHING_ASKING,   /* looking for the leader */
    PUBLISHING_ATTACHED, /* `node` leads as far as we know */
};

struct publishing {
    struct publishing_slot *slots;
    uint32_t slot_count;
    uint32_t first_slot; /* of `first` */
    uint64_t source_id;
    bool is_numbered; /* false: a kept source, and no leader has said yet where it stands; numbers are counted
                         from 1 */
    uint64_t settle_end_ns; /* before it no leader is asked for the numbers of a kept source */
    bool is_confirmed; /* the numbers are ours: one was committed by the leader that gave them, or the source
                          is new. Until then it may have been a deposed one, which knew too little */
    bool is_refusing;  /* REFUSED events are going out: their numbers are not free yet */
    uint64_t first;
    uint64_t send_next;
    uint64_t sent_end;
    uint64_t next;
    uint64_t receipt;    /* all up to it were told TALLY_RECEIPT */
    uint64_t given_up;   /* all up to it were told TALLY_GIVEN_UP; they are still sent, silently */
    uint64_t held;       /* all up to it are in the present leader's log */
    uint64_t elsewhere;  /* all before it may be in another log too: they were sent to an earlier leader */
    uint64_t tail_bytes; /* of all entries ever published */

    enum publishing_state state;
    uint32_t node;
    uint32_t generation; /* of its connection */
    uint64_t term;       /* highest of a leader we followed */
    uint64_t told_leader_id;
    uint64_t told_term;
    uint64_t ask_due_ns;
    uint64_t ask_id;           /* message id of the question not answered yet, 0: none */
    uint32_t ask_count;        /* questions in a row without an answer */
    uint32_t asked_node_count; /* nodes asked in this round ... */
    uint32_t answer_count;     /* ... and those that answered */
    uint32_t redirect_count;
    enum tally_status refusal; /* of `refused`, not yet told: the leader is asked first; OK: none */
    uint64_t refused;
    enum tally_status problem; /* the last one told; OK: it is over */
    uint64_t alive_ns;         /* last sign of the leader, or when we began to wait for one */
    uint64_t resend_id;        /* refusals of older messages speak of what has been sent again already ... */
    uint64_t resend_ns;        /* ... unless none came for retry_ns after this */
    uint64_t pause_end_ns;     /* after BUSY */
    uint64_t gap_sequence;     /* what the leader missed last */
    bool is_probing;           /* it misses that again: one frame at a time until it has it */
    uint64_t send_due_ns;      /* sending what waits is worth no try before this, unless something arrives */
};

struct tally_client;

void publishing_init(struct tally_client *client, uint64_t source_id, uint32_t slot_count);
unsigned publishing_poll(struct tally_client *client);
/* Sends what waits, as far as there is room. Frames sent. */
unsigned publishing_send(struct tally_client *client);
unsigned publishing_receive(struct tally_client *client, uint32_t node, const struct message *message);
/* When publishing_poll has something to do though nothing arrives. */
uint64_t publishing_deadline_ns(const struct tally_client *client);

/* For the files of this half. */
struct publishing_slot *publishing_slot_of(const struct publishing *publishing, uint64_t sequence);
/* Looks for the leader from `node` on, not before `due_ns`. */
void publishing_ask_at(struct tally_client *client, uint32_t node, uint64_t due_ns);
/* The present node is of no use: another is asked after `delay_ns`; at the end of a round the trouble is
 * told. */
void publishing_ask_another(struct tally_client *client, uint64_t delay_ns);
void publishing_go_back(struct tally_client *client, uint64_t sequence);
/* Every entry from `from` on is refused, and `next` becomes `from`. None of them may be in any log, or come
 * into one. */
void publishing_refuse_from(struct tally_client *client, uint64_t from, enum tally_status status);
/* Nothing more is told of entries up to `last`, though they may be in a log. */
void publishing_give_up_to(struct tally_client *client, uint64_t last);
void publishing_tell_leader(struct tally_client *client, uint64_t leader_id, uint64_t term);
void publishing_tell_problem(struct tally_client *client, enum tally_status status, uint64_t node_id);
/* `node` leads: what it lacks is sent to it. */
void publishing_attach(struct tally_client *client, uint32_t node, const struct publish_reply *reply);
/* The leader has entries of our source that were never sent: those not sent yet are refused. */
void publishing_yield_numbers(struct tally_client *client, uint64_t wanted);
/* The numbers given by an earlier leader are not ours: what was sent with them is given up, the rest refused,
 * and the source is without numbers again. */
void publishing_lose_numbers(struct tally_client *client);
/* `node` does not lead. */
void publishing_follow_redirection(struct tally_client *client, uint32_t node,
                                   const struct publish_reply *reply);
/* `node` cannot serve us for the reason `status`. */
void publishing_leave(struct tally_client *client, uint32_t node, enum tally_status status);

#endif
