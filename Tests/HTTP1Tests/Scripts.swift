import HTTP1

/// A message's parts in one comparable piece, however its bytes were split.
struct ReadRequest: Equatable {
    var method: String
    var path: String
    var query: String
    var minorVersion: Int
    var keepsAlive: Bool
    var expectsContinue: Bool
    var fields: [[String]]
    var body: [UInt8] = []
    var isWhole = false
}

struct ReadResponse: Equatable {
    var status: Int
    var keepsAlive: Bool
    var fields: [[String]]
    var body: [UInt8] = []
    var isWhole = false
}

extension Headers {
    var pairs: [[String]] {
        var pairs: [[String]] = []
        forEach { pairs.append([String(decoding: $0, as: UTF8.self), String(decoding: $1, as: UTF8.self)]) }
        return pairs
    }
}

/// Feeds `pieces` to a request parser: what came out, and the error that ended it.
func readRequests(
    _ pieces: [[UInt8]], limits: HeadLimits = HeadLimits()
) -> (requests: [ReadRequest], error: MessageError?) {
    var parser = RequestParser(limits: limits)
    var requests: [ReadRequest] = []
    do throws(MessageError) {
        for piece in pieces {
            try piece.withUnsafeBufferPointer { buffer throws(MessageError) in
                let piece = UnsafeRawBufferPointer(buffer)
                var offset = 0
                while let part = try parser.next(in: piece, at: &offset) {
                    switch part {
                    case .head(let head):
                        requests.append(
                            ReadRequest(
                                method: head.methodText, path: head.path, query: head.query,
                                minorVersion: head.minorVersion, keepsAlive: head.keepsAlive,
                                expectsContinue: head.expectsContinue, fields: head.headers.pairs))
                    case .body(let range): requests[requests.count - 1].body += piece[range]
                    case .end: requests[requests.count - 1].isWhole = true
                    }
                }
            }
        }
        return (requests, nil)
    } catch {
        return (requests, error)
    }
}

/// Feeds `pieces` to a response parser, then closes the connection if told to.
func readResponses(
    _ pieces: [[UInt8]], isHead: Bool = false, closes: Bool = true
) -> (responses: [ReadResponse], error: MessageError?) {
    var parser = ResponseParser()
    parser.expect(isHead: isHead)
    var responses: [ReadResponse] = []
    do throws(MessageError) {
        for piece in pieces {
            try piece.withUnsafeBufferPointer { buffer throws(MessageError) in
                let piece = UnsafeRawBufferPointer(buffer)
                var offset = 0
                while let part = try parser.next(in: piece, at: &offset) {
                    switch part {
                    case .head(let head):
                        responses.append(
                            ReadResponse(
                                status: head.status, keepsAlive: head.keepsAlive, fields: head.headers.pairs))
                    case .body(let range): responses[responses.count - 1].body += piece[range]
                    case .end: responses[responses.count - 1].isWhole = true
                    }
                }
            }
        }
        if closes, case .end = try parser.connectionClosed() { responses[responses.count - 1].isWhole = true }
        return (responses, nil)
    } catch {
        return (responses, error)
    }
}

func readRequests(_ text: String, limits: HeadLimits = HeadLimits()) -> (requests: [ReadRequest], error: MessageError?)
{
    readRequests([Array(text.utf8)], limits: limits)
}

func readResponses(
    _ text: String, isHead: Bool = false, closes: Bool = true
) -> (responses: [ReadResponse], error: MessageError?) {
    readResponses([Array(text.utf8)], isHead: isHead, closes: closes)
}
