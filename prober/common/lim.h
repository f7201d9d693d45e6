/*
 * lim.h - every maximum of patroute, in one place.
 *
 * A buffer, table or queue that has no line here has no bound.
 */
#ifndef LIM_H
#define LIM_H

#define LIM_MEMBERS 32     /* of one cluster */
#define LIM_CLUSTERS 300   /* of one patroute.conf */
#define LIM_LISTENERS 900  /* of one patroute.conf */
#define LIM_ENDPOINTS 9    /* etcd endpoints of one cluster */
#define LIM_AGENT_LISTEN 8 /* sockets that one agent listens on */
#define LIM_HAPROXIES 4    /* HAProxy's processes of one prober */
#define LIM_HOSTS 16       /* load balancers that share a virtual address */
#define LIM_NAME 64        /* cluster, member, server, listener; with NUL */
#define LIM_ADDR 64        /* a numeric address or a host name; with NUL */
#define LIM_NIC 16         /* of a network interface; with NUL */
#define LIM_PATH 108       /* a unix socket's path; with NUL */
#define LIM_TEXT 256       /* a value of patroute.conf, a URL; with NUL */
#define LIM_SECRET 256     /* USER:PASSWORD; with NUL */
#define LIM_PEM 1048576    /* a file of certificates, or of a key */

#define LIM_SPOP_FRAME 4096    /* negotiated max-frame-size, no length field */
#define LIM_SPOP_FRAME_MIN 256 /* SPOE.txt 3.2.4 */
#define LIM_STARTUP 1024       /* what HAProxy passes of the first bytes */
#define LIM_HELD 4096          /* connections held by one agent */
#define LIM_FEED_MSG 8192      /* one feed message */
#define LIM_FEED_CLIENTS 8     /* agents of one prober */
#define LIM_HTTP_BODY 262144   /* of etcd's and Patroni's answers */
#define LIM_HTTP_REQUEST 4096  /* of a request to the prober */
#define LIM_HTTP_POST 4096     /* of its body */
#define LIM_HTTP_CONNS 256     /* connections to one listener of the prober's */
#define LIM_HTTP_STREAMS 32    /* of events, in all */
#define LIM_JSON_DEPTH 32
#define LIM_BINDS 4  /* addresses of one listener */
#define LIM_EXTRA 32 /* raw lines of one part of HAProxy's file */
#define LIM_LOG_LINE 1024
#define LIM_LOG_BYTES 128     /* of network bytes in one log value */
#define LIM_HAP_CMDS 256      /* Runtime API commands of one pass */
#define LIM_HAP_CMD 1024      /* one of them; with NUL */
#define LIM_HAP_REPLY 262144  /* one answer of HAProxy's Runtime API */
#define LIM_CTL_EVENT 16384   /* of one event that it follows */
#define LIM_CTL_BODY 16777216 /* of the answers that patroutectl takes */

#endif
