import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// One GET of one small resource on loopback: enough to read a simulator's book.
enum PlainHTTP {
    static func get(_ url: URL, query: String) async throws -> Data {
        let host = url.host ?? "127.0.0.1"
        let port = url.port ?? 80
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(5))
            .connect(host: host, port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
                        wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            let headers = HTTPHeaders([("host", "\(host):\(port)"), ("connection", "close")])
            let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "\(url.path)?\(query)", headers: headers)
            // Together: the head is a whole request already, and who answers it may close before a second write.
            try await outbound.write(contentsOf: [.head(head), .end(nil)])
            var data = Data()
            for try await part in inbound {
                switch part {
                case .head(let head):
                    guard head.status == .ok else {
                        throw ConfigurationError(complaints: ["\(url) answered \(head.status)"])
                    }
                case .body(let buffer): data.append(contentsOf: buffer.readableBytesView)
                case .end: return data
                }
            }
            throw ConfigurationError(complaints: ["\(url) broke off its answer"])
        }
    }
}
