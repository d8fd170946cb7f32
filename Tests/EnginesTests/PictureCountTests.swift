import Metering
import Testing

@testable import Engines

/// What multiplies pictures, and sound that the engine would fetch.
@Suite struct PictureCountTests {
    private func read(_ members: String, _ surface: Surface) throws -> InferenceRequest {
        try Array(#"{"model":"m",\#(members)}"#.utf8).withUnsafeBytes {
            try InferenceRequest(reading: $0, surface: surface)
        }
    }

    @Test(arguments: [
        "n", "num_images", "num_outputs", "batch_size", "num_images_per_prompt", "num_samples", "samples", "n_iter",
        "batch_count", "image_count", "number_of_images", "numberOfImages", "sampleCount", "max_images",
    ])
    func `pictures are multiplied under every name for it`(name: String) throws {
        let request = try read(#""prompt":"p","\#(name)":7"#, .imageGenerations)
        #expect(request.choiceCount == 7 && request.measures.images == 7)
        #expect(try read(#""prompt":"p","parameters":{"\#(name)":5}"#, .imageGenerations).choiceCount == 5)
        for value in ["0", "-1", "1025", "1.5", "\"4\"", "[4]"] {
            let error = #expect(throws: RequestError.self) {
                try read(#""prompt":"p","\#(name)":\#(value)"#, .imageGenerations)
            }
            #expect(error?.code == "invalid_type")
        }
        #expect(try read(#""prompt":"p","\#(name)":null"#, .imageGenerations).choiceCount == 1)
    }

    @Test func `of several names the largest is reserved`() throws {
        #expect(try read(#""prompt":"p","n":2,"batch_size":9,"num_images":4"#, .imageGenerations).choiceCount == 9)
    }

    // MARK: Sound by its address

    private static let addresses = [
        "url", "audio_url", "file_url", "audio_uri", "file_uri", "source_url", "media_url", "cloud_storage_url",
    ]

    private func form(_ parts: [(head: String, value: String)]) -> [UInt8] {
        var text = ""
        for part in parts {
            text += "--b\r\ncontent-disposition: form-data; \(part.head)\r\n\r\n\(part.value)\r\n"
        }
        return Array((text + "--b--\r\n").utf8)
    }

    private func read(form parts: [(head: String, value: String)]) throws -> InferenceRequest {
        let model = (head: #"name="model""#, value: "m")
        return try form([model] + parts).withUnsafeBytes {
            try InferenceRequest(
                reading: $0, surface: .audioTranscriptions, contentType: "multipart/form-data; boundary=b")
        }
    }

    @Test(arguments: addresses)
    func `a form names no sound by its address`(name: String) throws {
        let forms: [[(head: String, value: String)]] = [
            [(#"name="\#(name)""#, "https://a.io/c.mp3")],
            [(#"name="file"; filename="a.wav""#, "RIFF"), (#"name="\#(name)""#, "https://a.io/c.mp3")],
            [(#"name="\#(name)"; filename="x""#, "https://a.io/c.mp3")],
        ]
        for parts in forms {
            let error = #expect(throws: RequestError.self) { try read(form: parts) }
            #expect(error?.code == "field_not_available")
        }
        let error = #expect(throws: RequestError.self) {
            try read(#""\#(name)":"https://a.io/c.mp3""#, .audioTranscriptions)
        }
        #expect(error?.code == "field_not_available")
    }

    @Test(arguments: ["https://a.io/c.mp3", "http://a.io", "file:///x.wav", " HTTPS://a.io/c.mp3"])
    func `nor does the part that is the file`(address: String) throws {
        for head in [#"name="file""#, #"name="file"; filename="a.mp3""#] {
            let error = #expect(throws: RequestError.self) { try read(form: [(head, address)]) }
            #expect(error?.code == "field_not_available")
        }
        #expect(throws: RequestError.self) { try read(#""file":"\#(address)""#, .audioTranscriptions) }
    }

    @Test func `a file itself passes`() throws {
        _ = try read(form: [(#"name="file"; filename="a.wav""#, "RIFF....WAVE")])
        _ = try read(#""file":"UklGRiQAAABXQVZF""#, .audioTranscriptions)
        _ = try read(#""file":"data:audio/wav;base64,UklGRiQAAABXQVZF""#, .audioTranscriptions)
    }
}
