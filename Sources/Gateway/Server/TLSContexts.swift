import NIOSSL

/// TLS on both sides.
enum TLSContexts {
    static func server(_ configuration: GatewayConfiguration) throws -> NIOSSLContext? {
        guard let files = configuration.tls else { return nil }
        let chain = try readable(files.certificateChain, "a certificate chain") {
            try NIOSSLCertificate.fromPEMFile($0).map { NIOSSLCertificateSource.certificate($0) }
        }
        let key = try readable(files.privateKey, "a private key") { try NIOSSLPrivateKey(file: $0, format: .pem) }
        var tls = TLSConfiguration.makeServerConfiguration(certificateChain: chain, privateKey: .privateKey(key))
        tls.minimumTLSVersion = .tlsv12
        tls.applicationProtocols = ["http/1.1"]
        return try NIOSSLContext(configuration: tls)
    }

    private static func readable<Value>(
        _ path: String, _ what: String, _ read: (String) throws -> Value
    ) throws -> Value {
        do {
            return try read(path)
        } catch {
            throw CannotReadFile(path: path, what: what)
        }
    }

    static func upstream(_ configuration: GatewayConfiguration) throws -> NIOSSLContext? {
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.minimumTLSVersion = .tlsv12
        tls.applicationProtocols = ["http/1.1"]
        if let file = configuration.upstreamTrustRootsFile {
            _ = try readable(file, "certificates") { try NIOSSLCertificate.fromPEMFile($0) }
            tls.additionalTrustRoots = [.file(file)]
        }
        return try NIOSSLContext(configuration: tls)
    }
}

/// A file that TLS needs cannot be read, or does not hold what it should.
public struct CannotReadFile: Error, CustomStringConvertible {
    let path: String
    let what: String

    public var description: String {
        "\(path) cannot be read as \(what) in PEM: see that the file is there, that this user may read it, and what it "
            + "holds"
    }
}
