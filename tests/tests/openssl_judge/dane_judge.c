/*
 * OpenSSL's verdict on certificate chains and TLSA records, for the comparison in main.rs.
 *
 * Cases come on standard input, one item a line, hexadecimal for octets and "-" for none:
 *
 *   at SECONDS            the time of the check, since 1970
 *   name NAME             a reference identifier; the first is the TLSA base domain
 *   tlsa U S M DATA       a TLSA record
 *   cert DER              a certificate; the first is the server's own
 *   end
 *
 * Each case is answered by one line on standard output, "USABLE CODE USAGE DEPTH": how many records the library can use,
 * its X509_V_ number, and the usage of the record that matched with its depth on the path. CODE is -1 where no record is
 * usable, USAGE and DEPTH are -1 where nothing was verified.
 *
 * The library is set up as a client of RFC 7672 uses it, and the chain is verified as it does after a handshake:
 * no names under DANE-EE(3) (section 3.1.1), no usages 0 and 1 (section 3.1.3), no partial wildcards (section 3.2.3), no
 * roots but those of the records.
 */
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 64

struct record {
    unsigned usage, selector, matching;
    unsigned char *data;
    size_t length;
};

struct judgement_case {
    long at;
    char *names[MOST];
    struct record records[MOST];
    X509 *chain[MOST];
    int name_count, record_count, chain_count;
};

static void fail(const char *why) {
    fprintf(stderr, "dane_judge: %s\n", why);
    exit(2);
}

static void require(int held, const char *why) {
    if (!held)
        fail(why);
}

static unsigned digit(char c) {
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    require(c >= 'a' && c <= 'f', "not hexadecimal");
    return (unsigned)(c - 'a') + 10;
}

/* The octets of a hexadecimal text; the caller frees them. */
static unsigned char *octets(const char *text, size_t *length) {
    size_t digits = strcmp(text, "-") == 0 ? 0 : strlen(text);
    unsigned char *result = malloc(digits / 2 + 1);
    require(result != NULL && digits % 2 == 0, "not whole octets");
    for (size_t i = 0; i < digits; i += 2)
        result[i / 2] = (unsigned char)(digit(text[i]) << 4 | digit(text[i + 1]));
    *length = digits / 2;
    return result;
}

static void read_record(struct judgement_case *c, char *text) {
    require(c->record_count < MOST, "too many records");
    struct record *record = &c->records[c->record_count++];
    int start = 0;
    require(sscanf(text, "%u %u %u %n", &record->usage, &record->selector, &record->matching, &start) == 3, "no record");
    record->data = octets(text + start, &record->length);
}

static void read_certificate(struct judgement_case *c, const char *text) {
    require(c->chain_count < MOST, "too many certificates");
    size_t length;
    unsigned char *der = octets(text, &length);
    const unsigned char *end = der;
    X509 *certificate = d2i_X509(NULL, &end, (long)length);
    require(certificate != NULL && end == der + length, "not a certificate");
    c->chain[c->chain_count++] = certificate;
    free(der);
}

/* Reads up to the next "end"; 0 at the end of the input. */
static int read_case(struct judgement_case *c) {
    static char *line;
    static size_t room;
    ssize_t length;
    memset(c, 0, sizeof *c);
    while ((length = getline(&line, &room, stdin)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        if (strcmp(line, "end") == 0)
            return 1;
        if (strncmp(line, "at ", 3) == 0)
            c->at = atol(line + 3);
        else if (strncmp(line, "name ", 5) == 0 && c->name_count < MOST)
            c->names[c->name_count++] = strdup(line + 5);
        else if (strncmp(line, "tlsa ", 5) == 0)
            read_record(c, line + 5);
        else if (strncmp(line, "cert ", 5) == 0)
            read_certificate(c, line + 5);
        else
            fail("unknown item");
    }
    return 0;
}

static void free_case(struct judgement_case *c) {
    for (int i = 0; i < c->name_count; i++)
        free(c->names[i]);
    for (int i = 0; i < c->record_count; i++)
        free(c->records[i].data);
    for (int i = 0; i < c->chain_count; i++)
        X509_free(c->chain[i]);
}

/* Tells the connection its names and records; returns how many records are usable. */
static int set_up(SSL *ssl, const struct judgement_case *c) {
    require(c->name_count > 0 && c->chain_count > 0, "a case needs a name and a certificate");
    require(SSL_dane_enable(ssl, c->names[0]) > 0, "SSL_dane_enable");
    for (int i = 1; i < c->name_count; i++)
        require(SSL_add1_host(ssl, c->names[i]), "SSL_add1_host");
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int usable = 0;
    for (int i = 0; i < c->record_count; i++) {
        const struct record *r = &c->records[i];
        if (r->usage <= 1)
            continue;
        if (SSL_dane_tlsa_add(ssl, (uint8_t)r->usage, (uint8_t)r->selector, (uint8_t)r->matching, r->data, r->length) > 0)
            usable++;
    }
    return usable;
}

/* What the library does with a server's chain after the handshake. */
static int verify(SSL *ssl, X509_STORE *no_roots, const struct judgement_case *c) {
    STACK_OF(X509) *chain = sk_X509_new_null();
    for (int i = 0; i < c->chain_count; i++)
        require(sk_X509_push(chain, c->chain[i]) > 0, "sk_X509_push");
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    require(context != NULL && X509_STORE_CTX_init(context, no_roots, c->chain[0], chain), "X509_STORE_CTX_init");
    X509_STORE_CTX_set0_dane(context, SSL_get0_dane(ssl));
    require(X509_STORE_CTX_set_default(context, "ssl_server"), "X509_STORE_CTX_set_default");
    X509_VERIFY_PARAM *terms = X509_STORE_CTX_get0_param(context);
    X509_VERIFY_PARAM_set_auth_level(terms, SSL_get_security_level(ssl));
    require(X509_VERIFY_PARAM_set1(terms, SSL_get0_param(ssl)), "X509_VERIFY_PARAM_set1");
    X509_STORE_CTX_set_time(context, 0, c->at);
    int verified = X509_verify_cert(context);
    int code = X509_STORE_CTX_get_error(context);
    require((verified == 1) == (code == X509_V_OK), "verdict and number contradict each other");
    SSL_set_verify_result(ssl, code);
    X509_STORE_CTX_free(context);
    sk_X509_free(chain);
    return code;
}

static void judge(SSL_CTX *client, X509_STORE *no_roots, const struct judgement_case *c) {
    SSL *ssl = SSL_new(client);
    require(ssl != NULL, "SSL_new");
    int usable = set_up(ssl, c), code = -1, depth = -1;
    uint8_t usage = 0;
    if (usable > 0)
        code = verify(ssl, no_roots, c);
    if (code == X509_V_OK)
        depth = SSL_get0_dane_tlsa(ssl, &usage, NULL, NULL, NULL, NULL);
    printf("%d %d %d %d\n", usable, code, depth < 0 ? -1 : usage, depth);
    SSL_free(ssl);
}

int main(void) {
    SSL_CTX *client = SSL_CTX_new(TLS_client_method());
    X509_STORE *no_roots = X509_STORE_new();
    require(client != NULL && no_roots != NULL && SSL_CTX_dane_enable(client) > 0, "no client");
    SSL_CTX_dane_set_flags(client, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    /* The library's own default; some systems configure another. */
    SSL_CTX_set_security_level(client, 1);
    struct judgement_case c;
    while (read_case(&c)) {
        judge(client, no_roots, &c);
        free_case(&c);
        fflush(stdout);
    }
    X509_STORE_free(no_roots);
    SSL_CTX_free(client);
    return 0;
}
