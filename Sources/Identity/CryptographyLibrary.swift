internal import COpenSSL

/// The OpenSSL of this process.
public enum CryptographyLibrary {
    /// Has OpenSSL leave its memory alone when the process exits; call it before anything else uses OpenSSL.
    ///
    /// By default it frees everything in an `atexit` handler. A thread that used it, such as a database connection's,
    /// and ends at that moment then unlocks a lock that is freed: the heap is corrupt and the process, all its work
    /// done, dies of SIGABRT instead of ending with 0. (The kill tests met that once in sixty rounds.)
    public static func prepare() { _ = isPrepared }

    private static let isPrepared = OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) == 1
}
