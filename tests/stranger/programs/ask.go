// Makes the calls of tests/stranger/calls.py with Go's net/http.
package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

type call struct {
	Method, Path, Body, Job string
	Headers                 map[string]string
	Files                   []string
}

type answer struct {
	Status  int               `json:"status"`
	Headers map[string]string `json:"headers"`
	Text    string            `json:"text"`
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func form(asked call) (io.Reader, string) {
	var body bytes.Buffer
	writer := multipart.NewWriter(&body)
	check(writer.WriteField("job", asked.Job))
	for _, path := range asked.Files {
		content, err := os.ReadFile(path)
		check(err)
		part, err := writer.CreateFormFile("files", filepath.Base(path))
		check(err)
		_, err = part.Write(content)
		check(err)
	}
	check(writer.Close())
	return &body, writer.FormDataContentType()
}

func ask(url string, asked call) answer {
	var body io.Reader
	kind := ""
	if asked.Body != "" {
		content, err := os.ReadFile(asked.Body)
		check(err)
		body = bytes.NewReader(content)
	}
	if asked.Job != "" {
		body, kind = form(asked)
	}
	request, err := http.NewRequest(asked.Method, url+asked.Path, body)
	check(err)
	for name, value := range asked.Headers {
		request.Header.Set(name, value)
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	response, err := http.DefaultClient.Do(request)
	check(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	check(err)
	headers := map[string]string{}
	for name, values := range response.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	return answer{response.StatusCode, headers, string(text)}
}

func main() {
	var asked struct {
		URL   string `json:"url"`
		Calls []call
	}
	check(json.NewDecoder(os.Stdin).Decode(&asked))
	out := json.NewEncoder(os.Stdout)
	for _, each := range asked.Calls {
		check(out.Encode(ask(asked.URL, each)))
	}
}
