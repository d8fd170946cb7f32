// The part of OpenSSL's libcrypto that Tollgate uses: hashes, HMAC, encryption.
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
