internal import COpenSSL

/// HMAC with SHA-256 (RFC 2104), computed by OpenSSL: how requests to AWS are signed.
public enum HMACSHA256 {
    /// The 32 bytes that authenticate `message` under `key`.
    public static func authenticationCode(for message: [UInt8], key: [UInt8]) -> [UInt8] {
        CryptographyLibrary.prepare()
        var code = [UInt8](repeating: 0, count: 32)
        var length: UInt32 = 0
        _ = HMAC(EVP_sha256(), key, Int32(key.count), message, message.count, &code, &length)
        return code
    }
}
