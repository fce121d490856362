// Sockets that are none of the usual, most of them root's. The test looks at the wire.
#include "attack.h"
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>

static unsigned char packet[512];
static size_t length;

static unsigned short sum(const void *from, size_t bytes) {
    const unsigned short *word = from;
    unsigned total = 0;
    for (; bytes > 1; bytes -= 2) total += *word++;
    if (bytes) total += *(const unsigned char *)word;
    while (total >> 16) total = (total & 0xffff) + (total >> 16);
    return ~total;
}
// A UDP datagram to the bad port; checksums of UDP may be left out.
static void datagram(unsigned char *at) {
    struct udphdr *header = (void *)at;
    header->source = htons(9); header->dest = htons(bad); header->len = htons(8 + strlen(token));
    memcpy(at + 8, token, strlen(token));
}
// The same with an IP header.
static void whole(unsigned char *at) {
    struct iphdr *header = (void *)at;
    length = 28 + strlen(token);
    *header = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP, .tot_len = htons(length),
                             .saddr = htonl(INADDR_LOOPBACK), .daddr = htonl(INADDR_LOOPBACK)};
    header->check = sum(header, 20);
    datagram(at + 20);
}

int main(int argc, char **argv) {
    begin(argc, argv);
    struct sockaddr_in to = in4(bad), allowed = in4(good);
    if (is("raw")) {
        int fd = must(socket(AF_INET, SOCK_RAW, IPPROTO_UDP));
        datagram(packet);
        must(sendto(fd, packet, 8 + strlen(token), 0, SA(&to), sizeof to));
    } else if (is("icmp")) {
        int fd = must(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
        struct icmphdr *header = (void *)packet;
        header->type = ICMP_ECHO;
        memcpy(packet + 8, token, strlen(token));
        header->checksum = sum(packet, 8 + strlen(token));
        must(sendto(fd, packet, 8 + strlen(token), 0, SA(&to), sizeof to));
    } else if (is("raw6")) {
        // To a raw socket of IPv6 no family at all means its own.
        struct sockaddr_in6 a = {.sin6_family = AF_UNSPEC, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
        int fd = must(socket(AF_INET6, SOCK_RAW, 253));
        must(sendto(fd, token, strlen(token), 0, SA(&a), sizeof a));
    } else if (is("header") || is("header-option")) {
        // Allowed by the address, sent to what the header says.
        int fd = must(socket(AF_INET, SOCK_RAW, is("header") ? IPPROTO_RAW : IPPROTO_UDP)), on = 1;
        if (is("header-option")) must(setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &on, sizeof on));
        whole(packet);
        allowed.sin_port = 0;
        must(sendto(fd, packet, length, 0, SA(&allowed), sizeof allowed));
    } else if (is("packet")) {
        struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = if_nametoindex("lo"), .sll_halen = 6};
        int fd = must(socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP)));
        whole(packet);
        must(sendto(fd, packet, length, 0, SA(&a), sizeof a));
    } else if (is("old-packet")) {
        struct sockaddr_pkt a = {.spkt_family = AF_PACKET, .spkt_device = "lo", .spkt_protocol = htons(ETH_P_IP)};
        int fd = must(socket(AF_INET, 10 /* SOCK_PACKET */, htons(ETH_P_IP)));
        packet[12] = 8;
        whole(packet + 14);
        must(sendto(fd, packet, 14 + length, 0, SA(&a), sizeof a));
    } else if (is("route")) {
        // By way of another machine: that is where the packet goes first.
        unsigned char route[8] = {131, 7, 4, 127, 0, 0, 2, 1};
        int fd = must(socket(AF_INET, SOCK_DGRAM, 0));
        must(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, route, sizeof route));
        must(sendto(fd, token, strlen(token), 0, SA(&allowed), sizeof allowed));
    } else if (is("udplite")) {
        int fd = must(socket(AF_INET, SOCK_DGRAM, 136));
        must(sendto(fd, token, strlen(token), 0, SA(&to), sizeof to));
    } else return 2;
    return 0;
}
