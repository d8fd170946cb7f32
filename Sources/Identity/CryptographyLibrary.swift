internal import COpenSSL

/// The OpenSSL of this process.
public enum CryptographyLibrary {
    /// Has OpenSSL leave its memory alone when the process exits; call it before anything else uses OpenSSL.
    ///
    /// By default it frees everything in an `atexit` handler. A thread that used it, such as a database connection's,
    /// and ends at that moment then touches what is freed: the process, all its work done, can crash instead of ending
    /// with 0. docs/reliability.md says what was seen and how far that is proven.
    public static func prepare() { _ = isPrepared }

    private static let isPrepared = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1
}
