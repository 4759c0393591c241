/* SPDX-License-Identifier: Apache-2.0 */
/* One codec, and a frame of each kind that a commit needs, at values as they are in a log of some age. For C
 * and C++. */
#ifndef TALLY_CODEC_RIG_H
#define TALLY_CODEC_RIG_H

#ifdef __cplusplus
extern "C" {
#endif

struct codec_rig;

enum codec_rig_kind { CODEC_RIG_APPEND, CODEC_RIG_APPEND_REPLY, CODEC_RIG_PUBLISH, CODEC_RIG_KIND_COUNT };

struct codec_rig *codec_rig_create(void);
void codec_rig_destroy(struct codec_rig *rig);

/* One frame. The tail stands where it stands: its bytes are not touched by the codec. */
void codec_rig_encode(struct codec_rig *rig, enum codec_rig_kind kind);
void codec_rig_decode(struct codec_rig *rig, enum codec_rig_kind kind);

#ifdef __cplusplus
}
#endif

#endif
